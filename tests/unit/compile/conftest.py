"""A ledger with a run of five kinds of tasks, and a world in which drivers and workers die on demand."""

from __future__ import annotations

import itertools
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest
from pydantic import JsonValue

from treadle.compile import recording
from treadle.compile.context import RunContext
from treadle.compile.observer import Observer
from treadle.compile.pipeline import Pipeline
from treadle.compile.scope import EVERYTHING, Scope
from treadle.compile.settling import settle
from treadle.compile.step import StepRun, finished_before
from treadle.compile.taking_up import take_up
from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall
from treadle.execute.journal import open_journal
from treadle.execute.records import ended_without_result
from treadle.ledger import Ledger, Transaction, datasets, leases, packages, runs, sqlite_url, units
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import make_plan
from treadle.model.policy import OnFailure, Retries
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, RunState, StepState, UnitState
from treadle.model.task import Task, TaskPart, TaskType
from treadle.model.workflow import Step, Workflow

TASKS = {
    "Make": TaskType.CONVERTER_NON_PARALLEL,
    "Mark": TaskType.PARALLEL,
    "Derive": TaskType.PARALLEL,
    "Silent": TaskType.PARALLEL,
    "Snatch": TaskType.PARALLEL,
    "Parts": TaskType.COMPOUND,
    "Count": TaskType.NON_PARALLEL,
}
FOLDER = "/data"
DEADLINE_SECONDS = 30.0


def task(name: str, kind: TaskType) -> Task:
    parts = {f"{part}": TaskPart(executable=f"{name}.py") for part in kind.parts}
    return Task(package="tasks", version="1", name=name, type=kind, **parts)


def output_of(name: str, call: UnitCall) -> JsonValue:
    """What a unit returns: always the same, and enough to see in the dataset whether it was merged."""
    url = str(call.args.get("zarr_url"))
    if name == "Parts":
        return _parts(call) if call.is_init else None
    if name == "Count":
        return {"image_list_removals": [call.args["zarr_urls"][0]]}
    if name == "Snatch":
        return {"image_list_removals": [f"{FOLDER}/item-0"]} if url.endswith("-2") else None
    made: dict[str, list[JsonValue]] = {
        "Make": [{"zarr_url": f"{FOLDER}/new-{number}"} for number in range(2)],
        "Mark": [{"zarr_url": url, "attributes": {"mark": url.rpartition("/")[2]}}],
        "Derive": [{"zarr_url": f"{url}-derived", "origin": url}],
    }
    return {"image_list_updates": made[name]} if name in made else None


def _parts(call: UnitCall) -> JsonValue:
    urls = call.args["zarr_urls"]
    parts = [{"zarr_url": url, "init_args": {"part": part}} for url in urls for part in range(2)]
    return {"parallelization_list": parts}


class DriverKilled(BaseException):
    """What SIGKILL is to a driver: nothing runs after it."""


@dataclass
class Fate:
    """Decides, event by event, who dies.

    Attributes:
        gaps: How many events pass before each death.
        victims: Who dies then, "driver" or "worker".
    """

    gaps: list[int] = field(default_factory=list)
    victims: list[str] = field(default_factory=list)
    dead: bool = False
    deaths: int = 0

    def pass_event(self, *, on_worker: bool = False) -> None:
        """Something happens; raise if it is the last for somebody."""
        if self.dead:
            raise DriverKilled
        if not self.gaps:
            return
        self.gaps[0] -= 1
        if self.gaps[0] >= 0:
            return
        self.gaps.pop(0)
        victim = self.victims.pop(0)
        self.deaths += 1
        if on_worker and victim == "worker":
            raise WorkerLost("Killed.")
        self.dead = True
        raise DriverKilled


class FragileLedger:
    """A ledger whose user may die before and after each commit."""

    def __init__(self, ledger: Ledger, fate: Fate) -> None:
        self._ledger = ledger
        self._fate = fate

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._ledger.reading() as tx:
            yield tx

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        if self._fate.dead:
            raise DriverKilled
        with self._ledger.writing() as tx:
            yield tx
            self._fate.pass_event()
        self._fate.pass_event()


@dataclass
class World:
    """Everything outside the driver: workers, journals, and who has run what how often.

    Attributes:
        failures: How many times each unit, by position and index, is still to fail, and why.
        failing_items: The items, by position and URL, whose units always fail.
        started: How often each unit was started.
        repeated: Units that were started although they had been done.
        calls: The calls of each unit, in order.
        before_unit: Called before each unit runs, if a test wants to hold it.
    """

    fate: Fate
    names: list[str]
    failures: dict[tuple[int, int], list[Cause]] = field(default_factory=dict)
    failing_items: set[tuple[int, str]] = field(default_factory=set)
    started: Counter[tuple[int, int]] = field(default_factory=Counter)
    finished: set[tuple[int, int]] = field(default_factory=set)
    repeated: set[tuple[int, int]] = field(default_factory=set)
    calls: dict[tuple[int, int], list[UnitCall]] = field(default_factory=dict)
    name: str = "world"
    slots: int = 2
    before_unit: Callable[[tuple[int, int]], None] | None = None

    def pool(self, _resources: object) -> Self:
        return self

    def expect(self, _who: str, _units: int) -> None:
        pass

    def submit(self, _function: object, batch: Batch, *, seconds: float) -> Future[Any]:  # noqa: ARG002
        """Run the batch at once; in a thread of its own if its units may be held."""
        future: Future[Any] = Future()
        if self.before_unit is None:
            self._run_batch(batch, future)
        else:
            threading.Thread(target=self._run_batch, args=(batch, future), daemon=True).start()
        return future

    def _run_batch(self, batch: Batch, future: Future[Any]) -> None:
        try:
            with open_journal(Path(batch.log_folder), "worker", batch.driver) as journal:
                records = [self._run(batch, call, journal) for call in batch.calls]
            future.set_result(records)
        except WorkerLost as lost:
            future.set_exception(lost)

    def broadcast(self, _function: object, _payload: object) -> None:
        """There is nothing that runs on."""

    def _run(self, batch: Batch, call: UnitCall, journal: Any) -> UnitRecord:
        unit = (batch.position, call.index)
        if self.before_unit is not None:
            self.before_unit(unit)
        self.fate.pass_event(on_worker=True)
        self.started[unit] += 1
        self.calls.setdefault(unit, []).append(call)
        if unit in self.finished:
            self.repeated.add(unit)
        self.fate.pass_event(on_worker=True)
        record = self._record(batch.position, call)
        if record.cause is not Cause.WORKER_LOST:
            journal.append(batch.position, record)
        if record.state is UnitState.DONE:
            self.finished.add(unit)
        self.fate.pass_event(on_worker=True)
        return record

    def _record(self, position: int, call: UnitCall) -> UnitRecord:
        if (position, str(call.args.get("zarr_url"))) in self.failing_items:
            return ended_without_result(call.index, Cause.FAILED, "it always fails", attempt=call.attempt)
        causes = self.failures.get((position, call.index))
        if causes:
            cause = causes.pop(0)
            return ended_without_result(call.index, cause, f"line one\nit was {cause}", attempt=call.attempt)
        return UnitRecord(
            index=call.index,
            state=UnitState.DONE,
            cause=None,
            error=None,
            output=output_of(self.names[position], call),
            exit_code=0,
            seconds=0.01,
            cpu_seconds=0.0,
            peak_memory_bytes=1,
            host="host",
            worker="worker",
            started_at=datetime.now(UTC),
            log_file=None,
            log_offset=0,
            log_length=0,
            attempt=call.attempt,
        )


@dataclass
class Bench:
    """A ledger with one submitted run, and the means to drive it."""

    ledger: Ledger
    folder: Path
    run_id: int
    dataset_id: int
    world: World

    def __post_init__(self) -> None:
        self._drivers = (f"driver-{number}" for number in itertools.count(1))

    @property
    def record(self) -> RunRecord:
        with self.ledger.reading() as tx:
            return runs.load_run(tx, self.run_id)

    @property
    def items(self) -> tuple[Item, ...]:
        with self.ledger.reading() as tx:
            return datasets.load_dataset(tx, "data")[1].items

    def units(self, position: int) -> list[units.UnitEntry]:
        with self.ledger.reading() as tx:
            return units.list_units(tx, self.run_id, position)

    def context(self, scope: Scope = EVERYTHING) -> RunContext:
        driver = next(self._drivers)
        with self.ledger.writing() as tx:
            leases.acquire(tx, self.run_id, driver, is_gone=lambda _: True)
        return RunContext(
            run_id=self.run_id,
            driver=driver,
            plan=self.record.plan,
            dataset_id=self.dataset_id,
            ledger=FragileLedger(self.ledger, self.world.fate),  # type: ignore[arg-type]  # it acts as one
            cluster=self.world,  # type: ignore[arg-type]  # the part of a cluster that a step uses
            observer=Observer(),
            log_folder=self.folder,
            unit_environment={},
            scope=scope,
        )

    def drive(self, scope: Scope = EVERYTHING, *, pipelined: bool = True) -> RunRecord:
        """Do what a flow does, without Prefect; return early if the driver is killed.

        Steps wait for one another, or begin ahead as in a flow.
        """
        self.world.fate.dead = False
        context = self.context(scope)
        try:
            record = take_up(context, "flow-run")
            if record.state is RunState.DONE:
                return record
            steps = [
                step for step in record.steps if step.state is StepState.DONE or scope.admits(step.position)
            ]
            if pipelined:
                _run_pipelined(context, record, steps)
            else:
                _run_in_turn(context, steps)
            settle(context)
        except DriverKilled:
            pass
        return self.record

    def drive_to_the_end(self, attempts: int = 40, *, pipelined: bool = True) -> RunRecord:
        """Resume until the run is done."""
        for _ in range(attempts):
            record = self.drive(pipelined=pipelined)
            if record.state is RunState.DONE:
                return record
        raise AssertionError(f"not done after {attempts} drives: {record.state}, {record.error}")


def _run_in_turn(context: RunContext, steps: Sequence[StepRecord]) -> None:
    for step in steps:
        if step.state is StepState.DONE:
            finished_before(context, step)
        elif StepRun(context, step.position).run().state is not StepState.DONE:
            return


def _run_pipelined(context: RunContext, record: RunRecord, steps: Sequence[StepRecord]) -> None:
    pipeline = Pipeline(context, record.steps)
    ends: list[Future[StepState]] = []

    def run(position: int, before: Future[StepState] | None) -> StepState:
        try:
            waits = before is not None and not pipeline.is_ahead(position)
            if before is not None and waits and before.result() is not StepState.DONE:
                return StepState.NOT_RUN
            return pipeline.run(position).state
        finally:
            pipeline.ended(position, done=False)

    with ThreadPoolExecutor(len(steps)) as threads, pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "FLUSH_SECONDS", 0)
        for step in steps:
            while not pipeline.may_begin(step.position):
                pipeline.changed.wait(DEADLINE_SECONDS)
                pipeline.changed.clear()
            ends.append(threads.submit(run, step.position, ends[-1] if ends else None))
    for end in ends:
        end.result()


@dataclass(frozen=True)
class Asked:
    """A workflow as a test wants it: tasks by name, and the policy of each step."""

    names: list[str]
    retries: Retries = field(default_factory=Retries)
    on_failure: OnFailure = OnFailure.STOP
    threshold: float = 1
    items: int = 3
    meta: dict[str, JsonValue] = field(default_factory=dict)


@pytest.fixture(scope="session")
def new_bench() -> Iterator[Callable[..., Bench]]:
    """Makes a bench; the empty ledger is made once."""
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.db")
        with Ledger(sqlite_url(empty)) as ledger, ledger.writing() as tx:
            _add_tasks(tx)
        content = empty.read_bytes()
        numbers = itertools.count()
        opened: list[Ledger] = []

        def make(asked: Asked, fate: Fate | None = None) -> Bench:
            while opened:
                opened.pop().close()
            place = Path(folder, str(next(numbers)))
            place.mkdir()
            file = place / "ledger.db"
            file.write_bytes(content)
            opened.append(Ledger(sqlite_url(file)))
            return _bench(opened[-1], place, asked, fate or Fate())

        yield make
        for ledger in opened:
            ledger.close()


def _add_tasks(tx: Transaction) -> None:
    packages.add_environment(
        tx,
        environment_id="e",
        lock="",
        python="/python",
        python_version="3.11",
        path="/e",
        build_seconds=0,
        size_bytes=0,
    )
    packages.add_package(
        tx,
        name="tasks",
        version="1",
        origin="index",
        source="tasks==1",
        environment_id="e",
        root="/root",
        tasks=[task(name, kind) for name, kind in TASKS.items()],
    )


def _bench(ledger: Ledger, folder: Path, asked: Asked, fate: Fate) -> Bench:
    steps = []
    for number, name in enumerate(asked.names):
        meta = {f"meta_{part}": asked.meta for part in TASKS[name].parts} if asked.meta else {}
        steps.append(
            Step(
                name=f"{number} {name}",
                task=task(name, TASKS[name]).ref,
                needs=(steps[-1].name,) if steps else (),
                retries=asked.retries,
                on_failure=asked.on_failure,
                failure_threshold=asked.threshold,
                **meta,
            )
        )
    items = tuple(Item(zarr_url=f"{FOLDER}/item-{number}") for number in range(asked.items))
    dataset = Dataset(name="data", zarr_dir=FOLDER, items=items)
    with ledger.writing() as tx:
        dataset_id = datasets.create_dataset(tx, dataset)
        tasks = packages.find_tasks(tx, [step.task for step in steps])
        plan = make_plan(Workflow(name="w", steps=tuple(steps)), dataset, tasks)
        run_id = runs.create_run(tx, plan, None, dataset_id, dataset)
    return Bench(ledger, folder, run_id, dataset_id, World(fate, asked.names))


@pytest.fixture(scope="session")
def bench_parts() -> Any:
    """What tests need to say what they want of a bench."""
    return SimpleNamespace(Asked=Asked, Fate=Fate)

"""A ledger with one run, driven as a flow drives it but without Prefect, Dask and processes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from unittest import mock

from pydantic import JsonValue

from treadle.compile import recording
from treadle.compile.context import RunContext
from treadle.compile.observer import Observer
from treadle.compile.pipeline import Pipeline
from treadle.compile.scope import EVERYTHING, Scope
from treadle.compile.settling import settle
from treadle.compile.step import StepRun, finished_before
from treadle.compile.taking_up import take_up
from treadle.ledger import Ledger, Transaction, datasets, leases, packages, runs, units
from treadle.ledger.runs import RunRecord, StepRecord
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import make_plan
from treadle.model.policy import OnFailure, Retries
from treadle.model.states import RunState, StepState
from treadle.model.workflow import Step, Workflow
from treadle.testing.deaths import DriverKilled, Fate, FragileLedger
from treadle.testing.world import FOLDER, TASKS, World, task

DEADLINE_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """A workflow as a test wants it: tasks by name, and the policy of each step.

    `needs` are the places of the steps that each step needs; a chain where there is none.
    """

    names: list[str]
    retries: Retries = field(default_factory=Retries)
    on_failure: OnFailure = OnFailure.STOP
    threshold: float = 1
    items: int = 3
    meta: dict[str, JsonValue] = field(default_factory=dict)
    needs: list[list[int]] | None = None


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

    @classmethod
    def submitted(cls, ledger: Ledger, folder: Path, asked: Asked, fate: Fate) -> Self:
        """Submit a run.

        Args:
            ledger: A ledger with nothing in it but what `add_tasks` adds.
            folder: Where workers keep their journals.
            asked: The workflow.
            fate: Who dies when.
        """
        steps = _steps(asked)
        items = tuple(Item(zarr_url=f"{FOLDER}/item-{number}") for number in range(asked.items))
        dataset = Dataset(name="data", zarr_dir=FOLDER, items=items)
        with ledger.writing() as tx:
            dataset_id = datasets.create_dataset(tx, dataset)
            tasks = packages.find_tasks(tx, [step.task for step in steps])
            plan = make_plan(Workflow(name="w", steps=tuple(steps)), dataset, tasks)
            run_id = runs.create_run(tx, plan, None, dataset_id, dataset)
        return cls(ledger, folder, run_id, dataset_id, World(fate, asked.names))

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

    def drive(
        self, scope: Scope = EVERYTHING, *, pipelined: bool = True, order: Sequence[int] | None = None
    ) -> RunRecord:
        """Do what a flow does, without Prefect; return early if the driver is killed.

        Steps wait for one another, or begin ahead as in a flow; with an order of their places they end in
        that order.
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
            if order is not None:
                _run_in_turn(context, [step for place in order for step in steps if step.position == place])
            elif pipelined:
                _run_pipelined(context, record, steps)
            else:
                _run_in_turn(context, steps)
            settle(context)
        except DriverKilled:
            pass
        return self.record

    def drive_to_the_end(
        self, attempts: int = 40, *, pipelined: bool = True, order: Sequence[int] | None = None
    ) -> RunRecord:
        """Resume until the run is done."""
        for _ in range(attempts):
            record = self.drive(pipelined=pipelined, order=order)
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

    with ThreadPoolExecutor(len(steps)) as threads, mock.patch.object(recording, "FLUSH_SECONDS", 0):
        for step in steps:
            while not pipeline.may_begin(step.position):
                pipeline.changed.wait(DEADLINE_SECONDS)
                pipeline.changed.clear()
            ends.append(threads.submit(run, step.position, ends[-1] if ends else None))
    for end in ends:
        end.result()


def add_tasks(tx: Transaction) -> None:
    """Record the package of all tasks that a bench may ask for."""
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


def _steps(asked: Asked) -> list[Step]:
    steps: list[Step] = []
    for number, name in enumerate(asked.names):
        parts = TASKS[name].parts if asked.meta else frozenset()
        before = [number - 1] if number else []
        needs = before if asked.needs is None else asked.needs[number]
        steps.append(
            Step.model_validate(
                {
                    "name": f"{number} {name}",
                    "task": task(name, TASKS[name]).ref,
                    "needs": [steps[place].name for place in needs],
                    "retries": asked.retries,
                    "on_failure": asked.on_failure,
                    "failure_threshold": asked.threshold,
                    **{f"meta_{part}": asked.meta for part in parts},
                }
            )
        )
    return steps


NewBench = Callable[..., Bench]
"""Makes a bench of `Asked` and, where somebody is to die, `Fate`."""

"""Tasks without processes, and all that is outside a driver: workers, their journals, and who ran what."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from treadle.errors import WorkerLost
from treadle.execute.batch import Batch, UnitCall
from treadle.execute.journal import Journal, open_journal
from treadle.execute.records import ended_without_result
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.model.task import Task, TaskPart, TaskType
from treadle.testing.deaths import Fate

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


def task(name: str, kind: TaskType) -> Task:
    """Return a task of that name."""
    parts = {f"{part}": TaskPart(executable=f"{name}.py") for part in kind.parts}
    return Task(package="tasks", version="1", name=name, type=kind, **parts)


def output_of(name: str, call: UnitCall) -> JsonValue:
    """What a unit returns: always the same, and enough to see in the dataset whether it was merged."""
    url = str(call.args.get("zarr_url"))
    if name == "Parts":
        return _parts(call) if call.is_init else None
    if name == "Count":
        return {"image_list_removals": [_urls(call)[0]]}
    if name == "Snatch":
        return {"image_list_removals": [f"{FOLDER}/item-0"]} if url.endswith("-2") else None
    made: dict[str, list[JsonValue]] = {
        "Make": [{"zarr_url": f"{FOLDER}/new-{number}"} for number in range(2)],
        "Mark": [{"zarr_url": url, "attributes": {"mark": url.rpartition("/")[2]}}],
        "Derive": [{"zarr_url": f"{url}-derived", "origin": url}],
    }
    return {"image_list_updates": made[name]} if name in made else None


def _urls(call: UnitCall) -> list[str]:
    urls = call.args["zarr_urls"]
    assert isinstance(urls, list)
    return [str(url) for url in urls]


def _parts(call: UnitCall) -> JsonValue:
    parts: list[JsonValue] = [
        {"zarr_url": url, "init_args": {"part": part}} for url in _urls(call) for part in range(2)
    ]
    return {"parallelization_list": parts}


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

    def submit(self, _function: object, batch: Batch) -> Future[Any]:
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

    def _run(self, batch: Batch, call: UnitCall, journal: Journal) -> UnitRecord:
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

"""Runs of a few tasks on real folders, in this process: what of them was reused, and what ran."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pydantic import JsonValue

from treadle.cache.caches.base import BaseCache
from treadle.collect.functions import register_functions
from treadle.compile.context import RunContext
from treadle.compile.observer import Observer
from treadle.compile.pipeline import Pipeline
from treadle.compile.settling import settle
from treadle.compile.step import StepRun
from treadle.compile.taking_up import take_up
from treadle.errors import LeaseLost
from treadle.ledger import Ledger, datasets, leases, packages, runs, units
from treadle.ledger.runs import RunRecord
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import make_plan
from treadle.model.task import InstalledTask, Task, TaskPart, TaskType
from treadle.model.workflow import Step, Workflow

MODULE = '''
from pathlib import Path

from {helper} import factor

RUNS = Path(__file__).parent / "runs.txt"


def _ran(name, url):
    with RUNS.open("a") as file:
        file.write(f"{{name}} {{Path(url).name}}\\n")


def blur(zarr_url, sigma=1, model=None, init_args=None):
    """Leave the item as it is; make another."""
    _ran("blur", zarr_url)
    made = Path(f"{{zarr_url}}-blurred")
    made.mkdir(exist_ok=True)
    (made / "data.txt").write_text((Path(zarr_url) / "data.txt").read_text() * sigma * factor())
    return {{"image_list_updates": [{{"zarr_url": str(made), "origin": zarr_url}}]}}


def grow(zarr_url, by=1):
    """Change the item itself."""
    _ran("grow", zarr_url)
    with (Path(zarr_url) / "data.txt").open("a") as file:
        file.write("+" * by)


def break_(zarr_url):
    """Fail."""
    _ran("break", zarr_url)
    raise RuntimeError("it is broken")


def make(zarr_dir, source, number=2):
    """Make items of a file."""
    _ran("make", zarr_dir)
    made = [Path(zarr_dir, f"made-{{place}}") for place in range(number)]
    for item in made:
        item.mkdir(exist_ok=True)
        (item / "data.txt").write_text(Path(source).read_text())
    return {{"image_list_updates": [{{"zarr_url": str(item)}} for item in made]}}


def scatter(zarr_dir):
    """Write a file that it does not speak of."""
    _ran("scatter", zarr_dir)
    Path(zarr_dir, "scattered.txt").write_text("here")
'''
HELPER = "def factor():\n    return 1\n"

_TYPES = dict.fromkeys(("make", "scatter"), TaskType.CONVERTER_NON_PARALLEL)
_modules = itertools.count()


class OwnProcess:
    """A cluster whose only worker is this thread."""

    name = "here"
    slots = 2

    def pool(self, _resources: object) -> Self:
        """Return itself; see `Cluster`."""
        return self

    def expect(self, _who: str, _units: int) -> None:
        """See `Pool`."""

    def submit(self, function: Callable[[Any], Any], payload: object, *, seconds: float = 0.0) -> Future[Any]:
        """Run it at once; see `Pool`."""
        del seconds
        future: Future[Any] = Future()
        future.set_result(function(payload))
        return future

    def broadcast(self, _function: object, _payload: object) -> None:
        """There is nothing that runs on; see `Pool`."""


class Unheard(OwnProcess):
    """A cluster whose driver is lost before it hears how the first units ended."""

    def submit(self, function: Callable[[Any], Any], payload: object, *, seconds: float = 0.0) -> Future[Any]:
        """Run it at once, in vain; see `Pool`."""
        super().submit(function, payload, seconds=seconds)
        raise LeaseLost("The driver is lost.")


@dataclass
class ReuseBench:
    """A dataset of real folders, tasks of which each notes that it ran, and a cache.

    Attributes:
        ledger: The ledger.
        folder: Folder of all: `data` with the items, and the tasks' modules.
        cache: The cache of units; None for none.
        pure: Names of the tasks that are pure.
        by_content: Whether files count by what is in them.
    """

    ledger: Ledger
    folder: Path
    cache: BaseCache | None
    pure: frozenset[str] = frozenset({"blur", "make"})
    by_content: bool = False
    module: str = field(default_factory=lambda: f"treadle_reuse_{next(_modules)}")

    def __post_init__(self) -> None:
        self.data = self.folder / "data"
        self.data.mkdir()
        self.code = self.folder / f"{self.module}.py"
        self.helper = self.folder / f"{self.module}_helper.py"
        self.code.write_text(MODULE.format(helper=f"{self.module}_helper"))
        self.helper.write_text(HELPER)
        register_functions(self.ledger, package="cells", version="1", tasks=[*map(self._task, _NAMES)])

    def add_items(self, number: int) -> Dataset:
        """Make folders with a file, and a dataset of them."""
        urls = [self.data / f"item-{place}" for place in range(number)]
        for url in urls:
            url.mkdir()
            (url / "data.txt").write_text(f"of {url.name};")
        items = tuple(Item(zarr_url=str(url)) for url in urls)
        dataset = Dataset(name="data", zarr_dir=str(self.data), items=items)
        with self.ledger.writing() as tx:
            datasets.create_dataset(tx, dataset)
        return dataset

    def take_ran(self) -> list[str]:
        """Return what ran since this was asked for last, names of task and item, and forget it."""
        file = self.folder / "runs.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    def step(
        self,
        task: str,
        cache: JsonValue = None,
        *,
        name: str | None = None,
        needs: Sequence[str] = (),
        **args: JsonValue,
    ) -> Step:
        """Return a step of one of the tasks."""
        found = self._task(task)
        part = found.type.first_part
        return Step.model_validate(
            {
                "name": name or task,
                "task": found.ref,
                f"args_{part}": args,
                "cache": cache,
                "needs": needs,
            }
        )

    def run(self, *steps: Step, observer: Observer | None = None) -> RunRecord:
        """Run steps on the dataset to their end."""
        return self.drive(self.submit(*steps), observer=observer)

    def submit(self, *steps: Step) -> int:
        """Write a run of steps to the ledger; return its id."""
        with self.ledger.writing() as tx:
            dataset_id, dataset = datasets.load_dataset(tx, "data")
            tasks = packages.find_tasks(tx, [step.task for step in steps])
            plan = make_plan(Workflow(name="w", steps=steps), dataset, tasks)
            return runs.create_run(tx, plan, None, dataset_id, dataset)

    def drive(self, run_id: int, *, observer: Observer | None = None) -> RunRecord:
        """Drive a run to its end, without Prefect; one step after the other."""
        context = self.context(run_id, observer)
        record = take_up(context, "flow-run")
        pipeline = Pipeline(context, record.steps)
        for step in record.steps:
            pipeline.run(step.position)
        settle(context)
        with self.ledger.reading() as tx:
            return runs.load_run(tx, run_id)

    def lose(self, run_id: int) -> None:
        """Drive a run until some units of its first step have ended, of which only the journals know."""
        context = replace(self.context(run_id), cluster=Unheard())  # type: ignore[arg-type]  # see `context`
        take_up(context, "flow-run")
        with suppress(LeaseLost):
            StepRun(context, 0).run()

    def context(self, run_id: int, observer: Observer | None = None) -> RunContext:
        """Return the context of a run that nobody else drives."""
        with self.ledger.writing() as tx:
            leases.acquire(tx, run_id, "driver", is_gone=lambda _: True)
            record = runs.load_run(tx, run_id)
        logs = self.folder / f"logs-{run_id}"
        logs.mkdir(exist_ok=True)
        return RunContext(
            run_id=run_id,
            driver="driver",
            plan=record.plan,
            dataset_id=record.dataset_id,
            ledger=self.ledger,
            cluster=OwnProcess(),  # type: ignore[arg-type]  # the part of a cluster that a step uses
            observer=observer or Observer(),
            log_folder=logs,
            unit_environment={},
            cache=self.cache,
            by_content=self.by_content,
        )

    def units(self, run_id: int, position: int = 0) -> list[units.UnitEntry]:
        """Return the units of a step."""
        with self.ledger.reading() as tx:
            return units.list_units(tx, run_id, position, with_output=True)

    def installed(self, name: str) -> InstalledTask:
        """Return one of the tasks as it is installed."""
        with self.ledger.reading() as tx:
            return packages.find_tasks(tx, [self._task(name).ref])[self._task(name).ref]

    def _task(self, name: str) -> Task:
        kind = _TYPES.get(name, TaskType.PARALLEL)
        part = TaskPart(function=f"{self.module}:{name}", folder=str(self.folder))
        return Task.model_validate(
            {
                "package": "cells",
                "version": "1",
                "name": name,
                "type": kind,
                f"{kind.first_part}": part,
                "input_types": {"blurred": False} if name == "blur" else {},
                "output_types": {"blurred": True} if name == "blur" else {},
                "pure": name in self.pure,
            }
        )


_NAMES = ("blur", "grow", "break_", "make", "scatter")

"""An installation of Treadle that exists for the benchmarks: its home, its server, and runs on it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2

from treadle.api import Server, client_environment, local_server
from treadle.collect import Progress, collect
from treadle.collect.functions import function_name, register_functions
from treadle.ledger import Ledger, datasets, packages, runs, sqlite_url, units
from treadle.ledger.packages import PackageRecord
from treadle.model.dataset import Dataset, Item
from treadle.model.profile import LOCAL, THIS_MACHINE, ClusterProfile
from treadle.model.states import RunState, UnitState
from treadle.model.task import InstalledTask, Task, TaskPart, TaskRef, TaskType
from treadle.runs.submit import Target, submit
from treadle.runs.workflows import import_workflow
from treadle.settings import Settings
from treadle.testing.command import Command

ROOT = Path(__file__).parents[2]
FUNCTIONS = "treadle-benchmark-functions"

MakeItems = Callable[[Path, int], list[str]]
"""Makes so many items in a folder, and returns their URLs."""


@dataclass(frozen=True)
class Place:
    """Where runs run.

    Attributes:
        cluster: Name of the cluster.
        profile: What is known of it.
        variables: What a driver has in its environment besides.
    """

    cluster: str = LOCAL
    profile: ClusterProfile = THIS_MACHINE
    variables: Mapping[str, str] = field(default_factory=dict)

    def with_workers(self, workers: int) -> Place:
        """The same with so many units at once, where this machine's number is what counts."""
        return replace(self, variables={**self.variables, "TREADLE_WORKERS": str(workers)})


LOCALLY = Place()


@dataclass(frozen=True)
class Driven:
    """A run that was driven to its end in a process of its own.

    Attributes:
        run_id: The run.
        seconds: From the call that drives it to its end in the ledger; the cluster was up.
        returned_seconds: To the return of that call, for which Prefect's client takes its time.
        step_seconds: From each step's begin to its end, by the ledger.
        peak_memory_bytes: Largest resident memory of the driver.
    """

    run_id: int
    seconds: float
    returned_seconds: float
    step_seconds: list[float]
    peak_memory_bytes: int


@dataclass
class Site:
    """Makes and drives runs; all checks that a benchmark did what it says are here."""

    settings: Settings
    ledger: Ledger
    server: Server
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def slots(self) -> int:
        """Units that run at once."""
        return self.settings.workers

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that uses this site."""
        return {
            **os.environ,
            **client_environment(self.server),
            "TREADLE_HOME": str(self.settings.home),
            "TREADLE_WORKERS": str(self.slots),
        }

    def collect(self, source: str) -> PackageRecord:
        """Collect a package."""
        return collect(
            source, settings=self.settings, ledger=self.ledger, progress=Progress(lambda _: None)
        ).package

    def add_function(self, function: Callable[..., object]) -> TaskRef:
        """Make a parallel task of a function."""
        task = Task(
            package=FUNCTIONS,
            version="1",
            name=function.__name__,
            type=TaskType.PARALLEL,
            parallel=TaskPart(function=function_name(function)),
        )
        register_functions(self.ledger, package=FUNCTIONS, version="1", tasks=[task])
        return task.ref

    def task(self, package: PackageRecord, name: str) -> InstalledTask:
        """Return a collected task."""
        with self.ledger.reading() as tx:
            found = packages.find_task(tx, TaskRef(pkg_name=package.name, version=package.version, name=name))
        assert found is not None, f"{package.name} has no task {name}"
        return found

    def submit(
        self,
        steps: Sequence[TaskRef],
        count: int,
        make_items: MakeItems | None = None,
        types: Mapping[str, bool] | None = None,
        place: Place = LOCALLY,
        *,
        workflow: str | None = None,
        folder: Path | None = None,
        cache: bool | None = None,
    ) -> int:
        """Make a run of a chain of parallel tasks on so many items, of these types.

        Args:
            steps: The tasks.
            count: How many items.
            make_items: Makes them; their names alone if None.
            types: Their types.
            place: Where the run is to run.
            workflow: Name of the workflow; a new one if None.
            folder: Where they are; a new folder if None.
            cache: Whether units are reused that were done before; None leaves it to the task.
        """
        name = f"benchmark-{next(self._numbers)}"
        folder = folder or self.new_folder()
        urls = (make_items or item_urls)(folder, count)
        document = {
            "name": workflow or name,
            "task_list": [{"task": task.model_dump(), "cache": cache} for task in steps],
        }
        import_workflow(self.ledger, document, replace=workflow is not None)
        dataset = Dataset(
            name=name,
            zarr_dir=str(folder),
            items=tuple(Item(zarr_url=url, types=dict(types or {})) for url in urls),
        )
        with self.ledger.writing() as tx:
            datasets.create_dataset(tx, dataset)
        return submit(
            self.ledger,
            workflow=workflow or name,
            dataset=name,
            type_filters={},
            attribute_filters={},
            target=Target(place.cluster, place.profile),
        )

    def new_folder(self) -> Path:
        """Make a folder for data."""
        folder = self.settings.home / "data" / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder

    def drive(self, run_id: int, place: Place = LOCALLY) -> Driven:
        """Drive a run in a process of its own, and check in the ledger that every unit is done."""
        words = ["tests.benchmarks.driver", str(run_id), place.cluster]
        driven = Driven(run_id=run_id, **self.answer(words, place))
        with self.ledger.reading() as tx:
            run = runs.load_run(tx, run_id)
            ended = [units.list_units(tx, run_id, step.position) for step in run.steps]
        assert run.state is RunState.DONE, f"run {run_id} is {run.state}: {run.error}"
        assert [len(entries) for entries in ended] == [step.units for step in run.steps]
        assert {entry.state for entries in ended for entry in entries} == {UnitState.DONE}
        return driven

    def task_runs_in_prefect(self, run_id: int) -> int:
        """How many task runs Prefect has for a run."""
        with self.ledger.reading() as tx:
            flow_run = runs.prefect_run_of(tx, run_id)
        user, password = self.server.auth_string.split(":")
        only = {"flow_runs": {"id": {"any_": [flow_run]}}}
        with httpx2.Client(base_url=self.server.api_url, auth=(user, password)) as client:
            return int(client.post("/task_runs/count", json=only).raise_for_status().json())

    def files_of(self, run_id: int) -> list[Path]:
        """The files that a run has left beside the ledger."""
        return [path for path in self.settings.run_logs_folder(run_id).rglob("*") if path.is_file()]

    def command(self, *words: str) -> Any:
        """Call `treadle` as a user does, in a process of its own; return the JSON that it prints."""
        return Command(self.settings.home)(*words).data

    def answer(self, words: Sequence[str], place: Place = LOCALLY) -> Any:
        """Run a module of the benchmarks with arguments; return the JSON that it prints last."""
        command = [sys.executable, "-m", *words]
        environment = {**self.environment, **place.variables}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stderr[-5000:]}"
        return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def open_site(home: Path) -> Iterator[Site]:
    """Make a home with a running server."""
    settings = Settings(home=home, port=0)
    with Ledger(sqlite_url(home / "ledger.sqlite")) as ledger, local_server(settings) as server:
        yield Site(settings, ledger, server)


def item_urls(folder: Path | str, count: int) -> list[str]:
    """URLs of so many items in a folder; nothing is there."""
    return [f"{folder}/{number:06d}.zarr" for number in range(count)]

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.ledger import Ledger, Transaction, datasets, packages, runs, sqlite_url
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import Plan, PlannedStep
from treadle.model.task import Task, TaskPart, TaskRef, TaskType
from treadle.model.workflow import Step, Workflow
from treadle.testing.postgresql import PostgresqlServer, postgresql_programs, postgresql_server

AddTask = Callable[..., packages.PackageRecord]
AddRun = Callable[..., int]
Race = Callable[..., list[str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.db"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server for all tests; without PostgreSQL they are skipped, but never where CI wants to know."""
    programs = postgresql_programs()
    if programs is None:
        reason = "PostgreSQL is not installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with postgresql_server(programs) as server:
        yield server


@pytest.fixture(scope="session")
def new_database(postgresql: PostgresqlServer) -> str:
    """Name of a database that is a new ledger, so that it is made once."""
    name = "new_ledger"
    Ledger(postgresql.create(name)).close()
    return name


@pytest.fixture(scope="session")
def new_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a new ledger's file, so that it is made once."""
    file = tmp_path_factory.mktemp("ledger") / "ledger.db"
    Ledger(sqlite_url(file)).close()
    return file.read_bytes()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a new ledger, on each of the databases in turn."""
    if request.param == "postgresql":
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        yield server.create("ledger", template=request.getfixturevalue("new_database"))
        server.drop("ledger")
        return
    file: Path = request.getfixturevalue("file")
    file.parent.mkdir()
    file.write_bytes(request.getfixturevalue("new_ledger"))
    yield sqlite_url(file)


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger(url) as opened:
        yield opened


@pytest.fixture
def task() -> Callable[..., Task]:
    def make(name: str = "Threshold", *, package: str = "Some_Package", version: str = "1.0") -> Task:
        return Task(
            package=package,
            version=version,
            name=name,
            type=TaskType.PARALLEL,
            parallel=TaskPart(executable="threshold.py", meta={"cpus_per_task": 2}),
            output_types={"labelled": True},
            tags=("segmentation",),
        )

    return make


@pytest.fixture
def add_package(task: Callable[..., Task]) -> AddTask:
    """Record a package in an environment; what is not given has a default."""

    def add(
        tx: Transaction,
        *,
        name: str = "Some_Package",
        version: str = "1.0",
        origin: packages.Origin = "index",
        environment: str = "e1",
        tasks: tuple[str, ...] = ("Threshold",),
    ) -> packages.PackageRecord:
        packages.add_environment(
            tx,
            environment_id=environment,
            lock="a==1 --hash=sha256:00",
            python="/usr/bin/python3",
            python_version="3.11.2",
            path=f"/environments/{environment}",
            build_seconds=1.5,
            size_bytes=5_000_000_000,
        )
        return packages.add_package(
            tx,
            name=name,
            version=version,
            origin=origin,
            source=f"{name}=={version}",
            environment_id=environment,
            root=f"/environments/{environment}/root",
            tasks=[task(known, package=name, version=version) for known in tasks],
        )

    return add


@pytest.fixture
def dataset() -> Dataset:
    items = tuple(Item(zarr_url=f"/data/plate/{well}", attributes={"well": well}) for well in "CAB")
    return Dataset(name="plate 1", zarr_dir="/data", items=items)


@pytest.fixture
def plan(ledger: Ledger, add_package: AddTask) -> Plan:
    """A plan of two steps, the second of which does not know its units yet."""
    with ledger.writing() as tx:
        add_package(tx)
        installed = packages.find_task(tx, TaskRef(pkg_name="some-package", version="1.0", name="Threshold"))
    assert installed is not None
    first = Step(name="first", task=installed.task.ref)
    second = Step(name="second", task=installed.task.ref, needs=("first",))
    return Plan(
        workflow=Workflow(name="segment", steps=(first, second)),
        dataset="plate 1",
        zarr_dir="/data",
        attribute_filters={"well": ["A", "B"]},
        type_filters={},
        steps=tuple(
            PlannedStep(step=step, task=installed, resources={}, type_filters={}, units=units)
            for step, units in ((first, 2), (second, None))
        ),
    )


@pytest.fixture
def add_run(ledger: Ledger, plan: Plan, dataset: Dataset) -> AddRun:
    """Submit a run of the plan; the dataset is made at the first call."""

    def add() -> int:
        with ledger.writing() as tx:
            if not datasets.list_datasets(tx):
                datasets.create_dataset(tx, dataset)
            dataset_id, snapshot = datasets.load_dataset(tx, dataset.name)
            return runs.create_run(tx, plan, None, dataset_id, snapshot)

    return add


@pytest.fixture
def race() -> Race:
    """Run a script in several processes that start its last part, `go()`, at the same moment.

    Returns what each printed; a process that fails fails the test with its traceback.
    """

    def run(script: str, *arguments: object, processes: int = 4) -> list[str]:
        program = f"{script}\nimport sys\nprint('ready', flush=True)\nsys.stdin.readline()\ngo(*sys.argv[1:])"
        children = [
            subprocess.Popen(
                [sys.executable, "-c", program, *map(str, arguments), str(number)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(processes)
        ]
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
        ends = [child.communicate(timeout=120) for child in children]
        assert [child.returncode for child in children] == [0] * processes, "\n".join(err for _, err in ends)
        return [out for out, _ in ends]

    return run

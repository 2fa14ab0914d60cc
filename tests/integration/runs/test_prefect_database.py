"""What a run of many units leaves behind in Prefect's database."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from treadle.api import Server, local_server
from treadle.collect.functions import function_name, register_functions
from treadle.ledger import Ledger, datasets, sqlite_url
from treadle.model.dataset import Dataset, Item
from treadle.model.task import Task, TaskPart, TaskType
from treadle.settings import Settings
from treadle.testing.command import Command
from treadle.testing.functions import nothing
from treadle.testing.prefect_database import DatabaseUse, database_use

pytestmark = pytest.mark.integration

STEPS = 3
ITEMS = 3_400
LARGEST_GROWTH = 200_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home of its own: in a database that others fill, pages are split that this run did not ask for."""
    return tmp_path_factory.mktemp("growth")


@pytest.fixture(scope="module")
def treadle(home: Path) -> Command:
    return Command(home)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[Server]:
    with local_server(Settings(home=home, port=0)) as server:
        yield server


@pytest.fixture(scope="module")
def workflow(treadle: Command) -> str:
    """A chain of steps that do nothing."""
    task = Task(
        package="growth",
        version="1",
        name="Nothing",
        type=TaskType.PARALLEL,
        parallel=TaskPart(function=function_name(nothing)),
    )
    with Ledger(sqlite_url(treadle.home / "ledger.sqlite")) as ledger:
        register_functions(ledger, package="growth", version="1", tasks=[task])
    file = treadle.home / "growth.json"
    file.write_text(json.dumps({"name": "growth", "task_list": [{"task": task.ref.model_dump()}] * STEPS}))
    treadle("workflow", "import", str(file))
    return "growth"


def add_items(treadle: Command, folder: Path, count: int) -> str:
    """Make a dataset of so many items; return its name."""
    name = f"growth {count}"
    items = tuple(Item(zarr_url=f"{folder}/{number:05}") for number in range(count))
    with Ledger(sqlite_url(treadle.home / "ledger.sqlite")) as ledger, ledger.writing() as tx:
        datasets.create_dataset(tx, Dataset(name=name, zarr_dir=str(folder), items=items))
    return name


def settled(file: Path) -> DatabaseUse:
    """Look once the server has stored what came in: nothing more for two seconds."""
    deadline = time.monotonic() + 120
    use, since = database_use(file), time.monotonic()
    while time.monotonic() - since < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
        now = database_use(file)
        if now.tables != use.tables:
            use, since = now, time.monotonic()
    return use


def artifact_events(file: Path) -> Counter[str]:
    """How many events about artifacts the server has stored, by kind."""
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT event FROM events WHERE event LIKE 'prefect.artifact%'")
        return Counter(event for (event,) in rows)


def test_a_run_of_ten_thousand_units_adds_less_than_200_kilobytes(
    treadle: Command, server: Server, workflow: str, tmp_path: Path
) -> None:
    file = server.folder / "prefect.sqlite"
    treadle("run", workflow, "--dataset", add_items(treadle, tmp_path, 5))
    dataset = add_items(treadle, tmp_path, ITEMS)
    before, announced = settled(file), artifact_events(file)

    run = treadle("run", workflow, "--dataset", dataset).data

    after = settled(file)
    assert [step["done"] for step in run["steps"]] == [ITEMS] * STEPS
    grown = after.grown(before)
    assert {"task_run", "artifact", "events"} <= grown.keys(), "it is this run that is measured"
    assert artifact_events(file) - announced == {"prefect.artifact-collection.created": 2 * STEPS + 3}
    assert after.used_bytes - before.used_bytes < LARGEST_GROWTH, grown
    assert sum(grown.values()) < LARGEST_GROWTH, grown

"""Workers, servers and drivers that are restarted or killed while runs of deployments are on.

Each run makes items, marks them, and holds the units of its last step at a gate while something happens.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import update

from treadle.ledger import Ledger, datasets, runs, sqlite_url, workflows
from treadle.ledger.runs import RunRecord
from treadle.ledger.tables import runs as runs_table
from treadle.model.dataset import Dataset
from treadle.model.states import RunState
from treadle.model.workflow import workflow_from_json
from treadle.runs.submit import submit
from treadle.testing.command import Command
from treadle.testing.up import Up, until

pytestmark = pytest.mark.integration

TASKS = Path(__file__).parents[2] / "tasks"
BACKEND = Path(__file__).parents[1] / "integration" / "runs" / "waiting_backend.py"
ITEMS = 6
SLOTS = 2
SIGNALS = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    Command(home)("collect", str(TASKS / "treadle-tasks-mock"))
    return home


@pytest.fixture(scope="module")
def site(home: Path) -> Iterator[Up]:
    """`treadle up` on the home."""
    up = Up(Command(home))
    with up.running():
        yield up


@pytest.fixture
def up(site: Up, home: Path) -> Iterator[Up]:
    """The same, running whatever the last test did to it; no driver is left when the test ends."""
    if site.process is None:
        site.start()
    yield site
    drivers = [process for process in psutil.process_iter() if _is_driver(process, home)]
    _, left = psutil.wait_procs(drivers, timeout=120)
    left = [process for process in left if _is_driver(process, home)]  # a zombie has no command line any more
    for process in left:
        process.kill()
    assert left == [], "a driver was left"


def _is_driver(process: psutil.Process, home: Path) -> bool:
    try:
        words = process.cmdline()
        is_one = "treadle.runs.workers.driver" in words or "resume" in words
        return is_one and process.environ().get("TREADLE_HOME") == str(home)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@pytest.fixture
def recovering(up: Up, home: Path) -> Iterator[None]:
    """Runs are taken up by themselves, once."""
    file = home / "treadle.toml"
    file.write_text("recover = 1\n")
    replace_worker(up, signal.SIGTERM)
    yield
    file.unlink()
    replace_worker(up, signal.SIGTERM)


def replace_worker(up: Up, number: signal.Signals) -> None:
    """End the worker, and wait for the next."""
    worker = up.worker_process()
    os.kill(worker, number)
    until(lambda: not psutil.pid_exists(worker), "the worker has ended")
    until(lambda: up.worker_process() != worker, "there is another worker")


@dataclass
class Held:
    """A run of a deployment whose last step waits at a gate."""

    up: Up
    folder: Path
    name: str
    run_id: int = 0
    flow_run: str = ""

    def starts(self, task: str) -> Counter[str]:
        """How often the unit of each item has started."""
        file = self.folder / f"{task}.noted"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(json.loads(line)["zarr_url"] for line in lines)

    def is_held(self) -> bool:
        """Whether the first step's units are all done, and as many of the next as can be wait."""
        return (
            len(self.starts("Mark Item")) == ITEMS
            and sum(self.starts("Act on Marked Item").values()) >= SLOTS
        )

    def open(self) -> None:
        """Let the units go on."""
        (self.folder / "gate").touch()

    def record(self) -> RunRecord:
        """The run in the ledger."""
        with Ledger(sqlite_url(self.up.treadle.home / "ledger.sqlite")) as ledger, ledger.reading() as tx:
            return runs.load_run(tx, self.run_id)

    def is_complete(self) -> bool:
        """Whether the ledger has the run as done, and every unit has started."""
        started = [len(self.starts(task)) for task in ("Mark Item", "Act on Marked Item")]
        return self.record().state is RunState.DONE and started == [ITEMS, ITEMS]

    def most_starts(self) -> dict[str, int]:
        """How often the unit of each step was started that was started most often."""
        return {task: max(self.starts(task).values()) for task in ("Mark Item", "Act on Marked Item")}


@pytest.fixture
def prepared(up: Up, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Held]:
    """A workflow with a gate, which is opened in the end, so that nothing is left waiting."""
    name = re.sub(r"[^\w-]", "-", request.node.name)
    data = tmp_path / "data"
    data.mkdir()

    def step(task: str, part: str, **args: Any) -> dict[str, Any]:
        ref = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": task}
        return {"task": ref, f"args_{part}": args}

    steps = [
        step("Create Items", "non_parallel", count=ITEMS),
        step("Mark Item", "parallel", record_file=str(tmp_path / "Mark Item.noted")),
        step(
            "Act on Marked Item",
            "parallel",
            record_file=str(tmp_path / "Act on Marked Item.noted"),
            wait_for_file=str(tmp_path / "gate"),
            wait_seconds=600,
        ),
    ]
    with Ledger(sqlite_url(up.treadle.home / "ledger.sqlite")) as ledger, ledger.writing() as tx:
        datasets.create_dataset(tx, Dataset(name=name, zarr_dir=str(data), items=()))
        workflows.save_workflow(tx, workflow_from_json({"name": name, "task_list": steps}), replace=False)
    held = Held(up, tmp_path, name)
    yield held
    held.open()


@pytest.fixture
def held(up: Up, prepared: Held) -> Held:
    """A run of a deployment, held at its gate."""
    name = prepared.name
    with Ledger(sqlite_url(up.treadle.home / "ledger.sqlite")) as ledger:
        prepared.run_id = submit(ledger, workflow=name, dataset=name, type_filters={}, attribute_filters={})
    prepared.flow_run = up.run(_deployment(up), run=prepared.run_id)
    with Ledger(sqlite_url(up.treadle.home / "ledger.sqlite")) as ledger, ledger.writing() as tx:
        this_run = update(runs_table).where(runs_table.c.id == prepared.run_id)
        tx.execute(this_run.values(key=prepared.flow_run))
    until(prepared.is_held, "units wait at the gate")
    return prepared


def _deployment(up: Up) -> str:
    """Deploy the flow beside this file in the work pool."""
    flow = up.ask("POST", "/flows/", {"name": "resumable"})
    body = {
        "name": "tests",
        "flow_id": flow["id"],
        "entrypoint": "resumable_flow.drive_run",
        "work_pool_name": "treadle",
        "job_variables": {"env": {"PYTHONPATH": str(Path(__file__).parent)}},
    }
    return str(up.ask("POST", "/deployments/", body)["id"])


@pytest.mark.parametrize("number", SIGNALS)
def test_run_does_not_notice_that_its_worker_is_replaced(up: Up, held: Held, number: signal.Signals) -> None:
    driver = up.driver_process(held.flow_run)

    replace_worker(up, number)

    assert psutil.pid_exists(driver)
    assert up.state(held.flow_run) == "Running"
    held.open()
    assert up.end_of(held.flow_run) == "Completed"
    assert held.is_complete()
    assert held.most_starts() == {"Mark Item": 1, "Act on Marked Item": 1}


@pytest.mark.parametrize("number", SIGNALS)
def test_run_goes_on_while_the_server_is_restarted(up: Up, held: Held, number: signal.Signals) -> None:
    server = up.server_process()

    os.kill(server, number)
    held.open()  # units end while nobody answers
    until(held.is_complete, "the run is done")

    until(lambda: up.server_process() != server, "there is another server")
    assert up.end_of(held.flow_run) == "Completed"
    assert held.most_starts() == {"Mark Item": 1, "Act on Marked Item": 1}
    until(lambda: set(up.step_states(held.flow_run).values()) == {"Completed"}, "the steps are shown as done")


@pytest.mark.parametrize("number", [signal.SIGINT, *SIGNALS])
def test_run_outlives_treadle_up_and_the_next_one_shows_its_end(
    up: Up, held: Held, number: signal.Signals
) -> None:
    up.end(number)
    if number is signal.SIGINT:
        assert f"Run {held.run_id} of" in up.said()
        assert f"treadle follow {held.run_id}" in up.said()
    held.open()
    until(held.is_complete, "the run is done")

    up.start()

    assert up.end_of(held.flow_run) == "Completed"
    assert held.most_starts() == {"Mark Item": 1, "Act on Marked Item": 1}


def test_everything_but_the_driver_is_killed_and_its_end_is_told_later(up: Up, held: Held) -> None:
    driver = up.driver_process(held.flow_run)
    victims = [up.worker_process(), up.server_process()]
    up.end(signal.SIGKILL)
    for victim in victims:
        if psutil.pid_exists(victim):
            os.kill(victim, signal.SIGKILL)

    held.open()
    until(held.is_complete, "the run is done")
    if psutil.pid_exists(driver):  # it waits for a server
        os.kill(driver, signal.SIGKILL)
    up.start()

    assert up.end_of(held.flow_run) == "Completed"


def test_killed_driver_is_offered_for_retry_and_retry_goes_on(up: Up, held: Held) -> None:
    os.kill(up.driver_process(held.flow_run), signal.SIGKILL)

    assert up.end_of(held.flow_run) == "Crashed"
    until(lambda: held.record().state is RunState.FAILED, "the ledger has it")
    assert f"Retry in Prefect's UI or with treadle resume {held.run_id}" in str(held.record().error)
    held.open()
    up.retry(held.flow_run)
    until(held.is_complete, "the run is done")

    assert up.end_of(held.flow_run) == "Completed"
    assert held.most_starts()["Mark Item"] == 1


@pytest.mark.usefixtures("recovering")
def test_killed_driver_is_followed_by_another_as_often_as_is_set(up: Up, held: Held) -> None:
    first = up.driver_process(held.flow_run)
    os.kill(first, signal.SIGKILL)

    until(lambda: up.driver_process(held.flow_run) != first, "another driver has it")
    until(lambda: sum(held.starts("Act on Marked Item").values()) >= 2 * SLOTS, "units run again")
    os.kill(up.driver_process(held.flow_run), signal.SIGKILL)
    until(lambda: held.record().state is RunState.FAILED, "it is given up")

    assert f"treadle resume {held.run_id}" in str(held.record().error)
    assert up.state(held.flow_run) == "Crashed"
    held.open()
    assert up.treadle("resume", str(held.run_id)).data["state"] == "done"
    assert held.most_starts()["Mark Item"] == 1


def test_cancel_reaches_a_run_whose_worker_was_replaced(up: Up, held: Held) -> None:
    replace_worker(up, signal.SIGKILL)

    up.cancel(held.flow_run)

    assert up.end_of(held.flow_run) == "Cancelled"
    assert (
        until(lambda: held.record().ended_at and held.record(), "the ledger has it").state
        is RunState.CANCELLED
    )


def test_cancel_of_a_driver_that_was_killed_ends_as_cancelled(up: Up, held: Held) -> None:
    worker, driver = up.worker_process(), up.driver_process(held.flow_run)
    os.kill(worker, signal.SIGSTOP)
    os.kill(driver, signal.SIGSTOP)
    up.cancel(held.flow_run)
    os.kill(driver, signal.SIGKILL)
    os.kill(worker, signal.SIGCONT)

    assert up.end_of(held.flow_run) == "Cancelled"
    until(lambda: held.record().state is RunState.CANCELLED, "the ledger has it")


@pytest.mark.usefixtures("recovering")
def test_killed_run_of_the_command_line_is_resumed_in_the_background(up: Up, prepared: Held) -> None:
    words = up.treadle.words("run", prepared.name, "--dataset", prepared.name)
    with subprocess.Popen(
        words, env=up.treadle.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as command:
        until(prepared.is_held, "units wait at the gate")
        command.kill()
    (newest, *_) = up.treadle("runs").data["runs"]
    prepared.run_id = newest["id"]
    first = str(prepared.record().prefect_flow_run_id)

    until(lambda: sum(prepared.starts("Act on Marked Item").values()) >= 2 * SLOTS, "units run again")
    prepared.open()
    until(prepared.is_complete, "the run is done")

    assert up.state(first) == "Crashed"
    assert up.end_of(str(prepared.record().prefect_flow_run_id)) == "Completed"
    assert prepared.most_starts()["Mark Item"] == 1


@pytest.mark.parametrize("number", SIGNALS)
def test_collection_goes_on_when_its_worker_is_replaced(
    up: Up, tmp_path: Path, number: signal.Signals
) -> None:
    project, gate = tmp_path / "slow", tmp_path / "gate"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "slow-tasks"\nversion = "1.0"\n'
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
    )
    (project / "slow.py").write_text(BACKEND.read_text().replace('"GO"', repr(str(gate))))
    collection = up.run(up.deployment("Collect a package/collect"), source=str(project))

    def activity() -> dict[str, Any]:
        found: list[dict[str, Any]] = up.treadle("activity", "list").data["activities"]
        return next((one for one in found if one["prefect_flow_run_id"] == collection), {"phase": ""})

    until(lambda: "building the wheel" in activity()["phase"], "the wheel is being built")

    replace_worker(up, number)
    gate.touch()

    assert up.end_of(collection) == "Completed"
    assert activity()["state"] == "done"

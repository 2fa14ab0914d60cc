"""Whatever is killed, whenever: runs end complete by being resumed, and no finished unit runs again.

Each trial drives one run of small units, kills one or two processes of it at random moments with SIGKILL, and
resumes it until it is done. What was done is known from the journals and the ledger, what ran from a line
that each unit writes when it starts. `CHAOS_SEED` repeats the trials of a seed, `CHAOS_TRIALS` sets their
number.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from treadle.api import client_environment, local_server
from treadle.execute.journal import read_journals
from treadle.ledger import Ledger, datasets, runs, sqlite_url, units, workflows
from treadle.ledger.runs import RunRecord
from treadle.model.dataset import Dataset
from treadle.model.states import RunState, StepState, UnitState
from treadle.model.workflow import workflow_from_json
from treadle.runs.submit import submit
from treadle.settings import Settings
from treadle.testing.command import Command

pytestmark = pytest.mark.integration

TRIALS = int(os.environ.get("CHAOS_TRIALS", "30"))
VICTIMS = ("driver", "worker", "launcher", "zygote", "keeper", "unit")
ITEMS = 16
UNIT_SECONDS = 0.04
DRIVES_AT_MOST = 8
EARLY_SHARE = 0.3
"""Of the drivers' deaths, those at any moment from its start; the others come once units run."""
TASKS = Path(__file__).parents[2] / "tasks"


@dataclass
class Drivers:
    """The process that drives runs in forks of itself."""

    process: subprocess.Popen[str]

    @contextlib.contextmanager
    def driving(self, run_id: int) -> Iterator[psutil.Process]:
        """Start a driver; it has ended when the context is left, by force if need be."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{run_id}\n")
        self.process.stdin.flush()
        pid = int(self._line())
        self._is_driving = True
        try:
            yield psutil.Process(pid)
        finally:
            if self._is_driving:
                os.kill(pid, signal.SIGKILL)
                self._line()

    def has_ended(self, seconds: float) -> bool:
        """Whether the driver ends within that time."""
        assert self.process.stdout is not None
        ended, _, _ = select.select([self.process.stdout], [], [], seconds)
        if ended:
            self._is_driving = False
            self._line()
        return bool(ended)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the process that drives runs has ended"
        return line


@dataclass
class Arena:
    """Where the trials take place.

    Attributes:
        seed: What all chance in the trials comes from.
    """

    seed: int
    home: Path
    ledger: Ledger
    drivers: Drivers


@dataclass
class Trial:
    """One run, who is to be killed, and what was seen.

    Attributes:
        done: How often each unit, by position and index, had started when a journal first called it done.
        family: All processes below the drivers that were seen, by process id.
    """

    run_id: int
    folder: Path
    victims: list[str]
    chance: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    drives: int = 0
    repeats: int = 0
    losses: int = 0
    done: dict[tuple[int, int], int] = field(default_factory=dict)
    family: dict[int, psutil.Process] = field(default_factory=dict)


@pytest.fixture(scope="session")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    home = tmp_path_factory.mktemp("home")
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    with (
        local_server(Settings(home=home, port=0)) as server,
        Ledger(sqlite_url(home / "ledger.sqlite")) as ledger,
    ):
        Command(home)("collect", str(TASKS / "treadle-tasks-mock"))
        with (
            (home / "drivers.log").open("wb") as log,
            subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("drivers.py")), str(home)],
                env=Command(home).environment | client_environment(server),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            yield Arena(seed, home, ledger, Drivers(process))


@pytest.mark.parametrize("number", range(TRIALS))
def test_a_run_survives(
    number: int, arena: Arena, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(f"{arena.seed}/{number}")  # noqa: S311 - nothing secret
    victims = [VICTIMS[number % len(VICTIMS)], *chance.choices(VICTIMS, k=chance.randint(0, 1))]
    run_id = prepare(arena.ledger, f"chaos-{number}", tmp_path)
    trial = Trial(run_id, tmp_path, victims, chance)
    try:
        while (record := load(arena.ledger, run_id)).state is not RunState.DONE:
            assert trial.drives < DRIVES_AT_MOST, f"seed {arena.seed}: {record.state}, {record.error}"
            drive_and_kill(arena, trial)
            _, alive = psutil.wait_procs(list(trial.family.values()), timeout=15)
            assert alive == [], f"seed {arena.seed}: left behind"
        trial.losses = losses(arena.ledger, record)
        started = starts(arena, trial)
        trial.repeats = sum(started[unit] - known for unit, known in trial.done.items())
    finally:
        counts = {"kills": dict(trial.kills), "drives": trial.drives}
        counts |= {"seed": arena.seed, "repeats": trial.repeats, "losses": trial.losses}
        record_property("chaos", counts)
    assert (trial.repeats, trial.losses) == (0, 0), f"seed {arena.seed}"


def prepare(ledger: Ledger, name: str, folder: Path) -> int:
    """Submit a run of four steps, three of which note each of their units in a file."""
    data = folder / "data"
    data.mkdir()

    def step(task: str, part: str, **args: Any) -> dict[str, Any]:
        ref = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": task}
        return {"task": ref, f"args_{part}": args, "retries": {"attempts": 2}}

    def noted(task: str) -> dict[str, Any]:
        file = str(folder / f"{task}.noted")
        return step(task, "parallel", record_file=file, sleep_seconds=UNIT_SECONDS)

    steps = [
        step("Create Items", "non_parallel", count=ITEMS),
        noted("Mark Item"),
        noted("Act on Marked Item"),
        noted("Derive Item"),
    ]
    with ledger.writing() as tx:
        datasets.create_dataset(tx, Dataset(name=name, zarr_dir=str(data), items=()))
        workflows.save_workflow(tx, workflow_from_json({"name": name, "task_list": steps}), replace=False)
    return submit(ledger, workflow=name, dataset=name, type_filters={}, attribute_filters={})


def load(ledger: Ledger, run_id: int) -> RunRecord:
    with ledger.reading() as tx:
        return runs.load_run(tx, run_id)


def drive_and_kill(arena: Arena, trial: Trial) -> None:
    """Drive a run until its driver ends, killing victims on the way; then note what the journals have."""
    trial.drives += 1
    is_early = trial.victims[:1] == ["driver"] and trial.chance.random() < EARLY_SHARE
    kill_at = time.monotonic() + trial.chance.uniform(0, 2) if is_early else None
    with arena.drivers.driving(trial.run_id) as driver:
        while not arena.drivers.has_ended(0.05):
            note_done(arena, trial)
            try:
                members = dict(roles(driver))
            except psutil.NoSuchProcess:
                continue
            seen = [process for found in members.values() for process in found if process.pid != driver.pid]
            trial.family.update((process.pid, process) for process in seen)
            if trial.victims and kill_at is None and any(trial.folder.glob("*.noted")):
                kill_at = time.monotonic() + trial.chance.uniform(0, 1.5)
            is_time = kill_at is not None and time.monotonic() >= kill_at
            if is_time and killed(members[trial.victims[0]], trial.chance):
                trial.kills[trial.victims.pop(0)] += 1
                kill_at = None
    note_done(arena, trial)


def note_done(arena: Arena, trial: Trial) -> None:
    """Note what the journals call done now."""
    logs = Settings(home=arena.home, port=0).run_logs_folder(trial.run_id)
    new: set[tuple[int, int]] = set()
    with contextlib.suppress(FileNotFoundError):  # the run is done and removes them
        for position, record in read_journals(logs):
            if record.state is UnitState.DONE and (position, record.index) not in trial.done:
                new.add((position, record.index))
    if new:
        now = starts(arena, trial)
        trial.done.update((unit, now[unit]) for unit in new)


def starts(arena: Arena, trial: Trial) -> Counter[tuple[int, int]]:
    """Return how often each unit has started, by position and index; only those of noted steps."""
    noted = {file.stem: file.read_text().splitlines() for file in trial.folder.glob("*.noted")}
    with arena.ledger.reading() as tx:  # after the files: a unit is in the ledger before it starts
        names = [step.name for step in runs.load_run(tx, trial.run_id).steps]
        entries = units.list_units(tx, trial.run_id)
    indices = {(entry.position, entry.zarr_url): entry.index for entry in entries}
    return Counter(
        (position, indices[position, json.loads(line)["zarr_url"]])
        for position, name in enumerate(names)
        for line in noted.get(name, [])
    )


def killed(processes: list[psutil.Process], chance: random.Random) -> bool:
    """Kill one of some processes; return whether there was one."""
    if not processes:
        return False
    try:
        chance.choice(processes).send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return False
    return True


def roles(driver: psutil.Process) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Yield what there is of each kind of process below a driver, by their places in its family."""
    yield "driver", [driver]
    workers = driver.children()
    yield "worker", workers
    launchers = [child for worker in workers for child in worker.children()]
    yield "launcher", launchers
    below = [child for launcher in launchers for child in launcher.children()]
    zygotes = [process for process in below if "zygote" in process.cmdline()]
    yield "zygote", zygotes
    keepers = [process for process in below if process not in zygotes]
    keepers += [child for zygote in zygotes for child in zygote.children()]
    yield "keeper", keepers
    yield "unit", [child for keeper in keepers for child in keeper.children()]


def losses(ledger: Ledger, record: RunRecord) -> int:
    """Count units that are not done, and items that are missing or not as each step left them."""
    expected = {f"item_{number:04}": {"marked": True} for number in range(ITEMS)}
    expected |= {f"{name}_derived": {"marked": True, "derived": True} for name in expected}
    with ledger.reading() as tx:
        items = datasets.load_dataset(tx, record.dataset)[1].items
        entries = units.list_units(tx, record.id)
    found = {Path(item.zarr_url).name: dict(item.types) for item in items}
    missing = [name for name, types in expected.items() if found.get(name) != types]
    order = [Path(item.zarr_url).name for item in items]
    planned = {step.position: step.units for step in record.steps}
    undone = [entry for entry in entries if entry.state is not UnitState.DONE]
    assert {step.state for step in record.steps} == {StepState.DONE}
    assert planned == {0: 1, 1: ITEMS, 2: ITEMS, 3: ITEMS}
    assert order == list(expected)
    return len(missing) + len(undone) + len(set(found) - set(expected))

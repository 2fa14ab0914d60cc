"""Workflows of mock tasks, here and on SLURM, and what Prefect says of their runs."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from treadle.api import Server
from treadle.execute.journal import read_journals
from treadle.model.states import UnitState
from treadle.settings import Settings
from treadle.testing.command import Command
from treadle.testing.slurm import DevelopmentSlurm
from treadle.testing.steps import CREATE, mock_step


@dataclass
class Bench:
    """A dataset and workflows of one test, with names of their own."""

    treadle: Command
    name: str
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def prepare(self, *steps: dict[str, Any]) -> None:
        """Make the dataset and import a workflow of these steps."""
        self.data.mkdir()
        self.treadle("dataset", "create", self.name, "--dir", str(self.data))
        file = self.folder / "workflow.json"
        file.write_text(json.dumps({"name": self.name, "task_list": list(steps)}))
        self.treadle("workflow", "import", str(file))

    @property
    def run_words(self) -> list[str]:
        return ["run", self.name, "--dataset", self.name]

    def run(self, code: int = 0) -> dict[str, Any]:
        """Run the workflow; return the run as JSON."""
        run: dict[str, Any] = self.treadle(*self.run_words, code=code).data
        assert "id" in run, run  # else it is an error that kept the run from starting
        return run

    @property
    def items(self) -> dict[str, Any]:
        """The dataset's items by the last part of their URL."""
        shown = self.treadle("dataset", "show", self.name).data["items"]
        return {Path(item["zarr_url"]).name: item for item in shown}


@pytest.fixture
def bench(treadle: Command, tmp_path: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(treadle, re.sub(r"[^\w-]", "-", request.node.name), tmp_path)


@pytest.fixture(scope="session")
def prefect(server: Server) -> Iterator[httpx2.Client]:
    """A client of Prefect's API with its secret."""
    user, password = server.auth_string.split(":")
    fresh = httpx2.Limits(max_keepalive_connections=0)  # the server closes what is idle between two tests
    with httpx2.Client(base_url=server.api_url, auth=(user, password), limits=fresh) as client:
        yield client


@pytest.fixture(scope="session")
def prefect_states(prefect: httpx2.Client) -> Callable[[str], tuple[str, dict[str, str]]]:
    """Asks Prefect for the state of a flow run, and those of its task runs by name."""

    def ask(flow_run: str) -> tuple[str, dict[str, str]]:
        run = prefect.get(f"/flow_runs/{flow_run}").raise_for_status().json()
        only = {"flow_runs": {"id": {"any_": [flow_run]}}}
        tasks = prefect.post("/task_runs/filter", json=only).raise_for_status().json()
        return run["state_type"], {task["name"]: task["state_type"] for task in tasks}

    return ask


SLURM_PROFILE = {
    "host": "127.0.0.1",
    "poll_seconds": 0.5,
    "poll_seconds_max": 2,
    "job_time": "00:05:00",
    "max_jobs": 2,
    "target_cpus_per_job": 2,
}
NOTED = "Mark Item"


@dataclass
class SlurmRun:
    """A run of items of which one step notes each of its units in a file when it starts."""

    slurm: DevelopmentSlurm
    treadle: Command
    name: str
    folder: Path
    first_job: int = 0
    process: subprocess.Popen[str] | None = None

    @property
    def gate(self) -> Path:
        """What units wait for, if they were prepared with it."""
        return self.folder / "gate"

    def prepare(
        self,
        count: int,
        *,
        policy: dict[str, Any] | None = None,
        meta: dict[str, Any] | None = None,
        **args: Any,
    ) -> None:
        """Store the workflow: make so many items, and work on each as `args` say."""
        entry = {"meta_parallel": meta or {}, **(policy or {})}
        steps = [
            mock_step(CREATE, count=count),
            mock_step(NOTED, entry=entry, **args, record_file=str(self.folder / "noted")),
        ]
        data = self.folder / "data"
        data.mkdir()
        self.treadle("dataset", "create", self.name, "--dir", str(data))
        file = self.folder / "workflow.json"
        file.write_text(json.dumps({"name": self.name, "task_list": steps}))
        self.treadle("workflow", "import", str(file))

    @contextmanager
    def started(self, *more: str) -> Iterator[subprocess.Popen[str]]:
        """Start the run; it is ended, by force if need be, when the context is left."""
        words = ["run", self.name, "--dataset", self.name, "--cluster", "slurm", *more]
        with (self.folder / "stderr").open("w") as stderr:
            self.process = subprocess.Popen(
                self.treadle.words(*words),
                env=self.treadle.environment,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        try:
            yield self.process
        finally:
            self.process.kill()
            self.process.communicate()

    def outcome(self, code: int = 0, *, seconds: float = 120) -> dict[str, Any]:
        """Wait for the run's end; return it as JSON."""
        assert self.process is not None
        stdout, _ = self.process.communicate(timeout=seconds)
        assert self.process.returncode == code, self.log + stdout
        run: dict[str, Any] = json.loads(stdout)
        return run

    @property
    def log(self) -> str:
        """What the command has said so far beside its answer."""
        return (self.folder / "stderr").read_text()

    @property
    def id(self) -> int:
        """Number of the run, once it has begun."""
        return int(re.findall(r"^Run (\d+) of", self.log, re.MULTILINE)[0])

    def queue(self, state: str = "", partition: str = "short,long") -> list[str]:
        """Return the ids of the jobs of runs that wait, run or are about to end."""
        states = state or "PENDING,RUNNING,COMPLETING,CONFIGURING"
        words = ("squeue", "--noheader", f"--states={states}", f"--partition={partition}", "--format=%A %j")
        rows = [line.split() for line in self.slurm.run(*words).stdout.splitlines()]
        return [job for job, name in rows if name.startswith("treadle-")]

    def node_of(self, job: str) -> str:
        """Return where a job runs."""
        return self.slurm.run("squeue", "--noheader", f"--jobs={job}", "--format=%N").stdout.strip()

    def jobs(self) -> dict[str, str]:
        """Return the states of all jobs since the test began, by id, as accounting has them."""
        words = ("sacct", "--allocations", "--noheader", "--parsable2", "--format=JobIDRaw,State")
        rows = [line.split("|") for line in self.slurm.run(*words).stdout.splitlines()]
        return {job: state for job, state in rows if int(job) > self.first_job}

    def job_names(self) -> list[str]:
        """Return the names of the same jobs."""
        words = ("sacct", "--allocations", "--noheader", "--parsable2", "--format=JobIDRaw,JobName")
        rows = [line.split("|") for line in self.slurm.run(*words).stdout.splitlines()]
        return [name for job, name in rows if int(job) > self.first_job]

    def requested_mebibytes(self) -> dict[str, int]:
        """Return the memory that each of these jobs asked for."""
        words = (
            "sacct",
            "--allocations",
            "--noheader",
            "--parsable2",
            "--units=M",
            "--format=JobIDRaw,ReqMem",
        )
        rows = [line.split("|") for line in self.slurm.run(*words).stdout.splitlines()]
        return {job: int(memory.rstrip("M")) for job, memory in rows if int(job) > self.first_job}

    def executions(self) -> Counter[str]:
        """Return how often each item's unit has started."""
        file = self.folder / "noted"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(Path(json.loads(line)["zarr_url"]).name for line in lines)

    def done(self) -> set[str]:
        """Return the items whose unit is done, by the journals that workers write."""
        logs = Settings(home=self.treadle.home, port=0).run_logs_folder(self.id)
        records = [record for position, record in read_journals(logs) if position == 1]
        return {f"item_{record.index:04}" for record in records if record.state is UnitState.DONE}

    def worker_processes(self) -> set[int]:
        """Return the process ids of workers of this home's runs."""
        own = f"treadle.clusters.slurm.worker {self.treadle.home}"
        found = psutil.process_iter(["cmdline"])
        return {process.pid for process in found if own in " ".join(process.info["cmdline"] or [])}

    def wait_for(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until something is so; fail, with what the command said, if that does not come."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def hold(self, slots: int) -> set[str]:
        """Let some units end, then hold one in each slot at the gate; return the items that are done."""
        self.wait_for(lambda: self.executions() and self.done())
        self.gate.unlink()
        self.wait_for(lambda: sum(self.executions().values()) == len(self.done()) + slots)
        return self.done()


@pytest.fixture
def configure_slurm(treadle: Command) -> Iterator[Callable[..., None]]:
    """Describes the cluster `slurm` in the session's home, for one test."""
    file = treadle.home / "treadle.toml"

    def configure(**more: object) -> None:
        lines = (f"{name} = {json.dumps(value)}" for name, value in (SLURM_PROFILE | more).items())
        file.write_text("\n".join(["[clusters.slurm]", *lines]))

    configure()
    yield configure
    file.unlink()


@pytest.fixture
def slurm_run(
    configure_slurm: Callable[..., None],  # noqa: ARG001 - it is there
    slurm: DevelopmentSlurm,
    treadle: Command,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Iterator[SlurmRun]:
    """A run of one test; no job, and nothing that ran in one, is left when it has ended."""
    name = re.sub(r"[^\w-]", "-", request.node.name)
    run = SlurmRun(slurm, Command(treadle.home, slurm.environment), name, tmp_path)
    run.first_job = max(map(int, run.jobs()), default=0)
    yield run
    assert run.queue() == []
    assert run.worker_processes() == set()

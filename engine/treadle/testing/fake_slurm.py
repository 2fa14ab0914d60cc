"""A SLURM that is only pretended, for what a real one cannot be brought to do.

It answers as SLURM 22.05 does, from jobs that the test moves about: `FakeSlurm` is a transport for code in
this process, and with `programs` there are commands of SLURM's names for whatever looks for them on PATH.
"""

from __future__ import annotations

import asyncio
import json
import os
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from treadle.clusters.slurm.answers import ACCOUNTING_FORMAT
from treadle.clusters.slurm.transport import Completed
from treadle.clusters.slurm.verdict import FINAL_STATES

COMMANDS = ("sbatch", "squeue", "sacct", "scontrol", "scancel")

Answer = Callable[[], Completed]
Fault = Callable[[Answer], Completed]
"""Gets the true answer as a function, whose call is what does the work; returns what is answered instead."""

_QUEUE_HEADER = "JOBID|STATE|REASON|NODELIST|START_TIME|END_TIME|NAME\n"
_ACCOUNTING_HEADER = ACCOUNTING_FORMAT.replace(",", "|") + "\n"
_NO_SUCH_JOB = Completed(1, "", "slurm_load_jobs error: Invalid job id specified")


@dataclass
class FakeJob:
    """A job, to be changed at will.

    Attributes:
        job_id: Its number.
        name: Its name.
        script: What was submitted.
        state: SLURM's word.
        node: Where it runs.
        exit_code: Status and signal, as `3:0`.
        reason: Why it waits.
        cancelled_by: Number of the user who cancelled it.
        memory: What it asked for, as SLURM writes it.
        peak: The most memory in use that SLURM saw, likewise.
        step_state: State of its batch step, if that is another.
        minutes: Its time limit.
        is_queued: Whether the controller knows it.
        is_accounted: Whether accounting knows it.
        seconds: When it was submitted, started and ended, as seconds since 1970.
    """

    job_id: str
    name: str
    script: str = ""
    state: str = "PENDING"
    node: str = ""
    exit_code: str = "0:0"
    reason: str = "None"
    cancelled_by: int | None = None
    memory: str = "976563K"
    peak: str = ""
    step_state: str = ""
    minutes: int = 60
    is_queued: bool = True
    is_accounted: bool = True
    seconds: list[int] = field(default_factory=lambda: [1_800_000_000])

    def start(self, node: str = "n1") -> None:
        """Let it run."""
        self.state, self.node = "RUNNING", node
        self.seconds.append(self.seconds[-1] + 10)

    def end(self, state: str, exit_code: str = "0:0", *, peak: str = "", step_state: str = "") -> None:
        """Let it end as SLURM calls it by `state`, ten seconds after its start."""
        self.state, self.exit_code, self.peak, self.step_state = state, exit_code, peak, step_state
        if not self.node:
            self.seconds.append(self.seconds[-1] + 10)
        self.seconds.append(self.seconds[-1] + (10 if self.node else 0))

    def forget(self, *, accounting: bool = False) -> None:
        """Let the controller know nothing of it any more, and accounting neither if so asked."""
        self.is_queued = False
        self.is_accounted = self.is_accounted and not accounting

    def moment(self, index: int) -> str:
        """Return when it was submitted (0), started (1) or ended (2)."""
        return str(self.seconds[index]) if index < len(self.seconds) else "Unknown"


class FakeSlurm:
    """Answers SLURM's commands; a `Transport`.

    Attributes:
        jobs: By id.
        calls: The words of every command, as they came.
        banner: Printed before every answer.
        seconds: How long every answer takes.
        accounting: Whether `sacct` works.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, FakeJob] = {}
        self.calls: list[tuple[str, ...]] = []
        self.banner = ""
        self.seconds = 0.0
        self.accounting = True
        self._faults: dict[str, Fault] = {}

    def fail(self, fault: Fault, *commands: str) -> None:
        """Let these commands, or all, answer as `fault` has it until `heal`."""
        self._faults |= dict.fromkeys(commands or COMMANDS, fault)

    def heal(self) -> None:
        """Let all commands answer as they should, and at once."""
        self._faults.clear()
        self.seconds = 0.0

    def count(self, command: str) -> int:
        """Return how often a command was called."""
        return sum(words[0] == command for words in self.calls)

    async def run(
        self, words: Sequence[str], stdin: bytes | None = None, *, variables: Mapping[str, str] | None = None
    ) -> Completed:
        """See `Transport`."""
        del variables
        await asyncio.sleep(self.seconds)
        return self.answer(words, stdin or b"")

    async def close(self) -> None:
        """See `Transport`."""

    def answer(self, words: Sequence[str], stdin: bytes) -> Completed:
        """Return what a command answers."""
        self.calls.append(tuple(words))
        command = words[0]
        if command == "id":
            return Completed(0, f"user{words[-1]}\n", "")
        options = dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)
        plain = [word for word in words[1:] if not word.startswith("--")]

        def truth() -> Completed:
            if command == "sbatch":
                return self._sbatch(options, stdin.decode())
            if command == "squeue":
                return self._squeue(options)
            if command == "sacct":
                return self._sacct(options)
            return self._scontrol(plain[-1]) if command == "scontrol" else self._scancel(options, plain)

        done = self._faults[command](truth) if command in self._faults else truth()
        return Completed(done.status, self.banner + done.stdout, done.stderr)

    @contextmanager
    def programs(self, folder: Path) -> Iterator[Path]:
        """Put SLURM's commands into a folder, for PATH; they answer as long as the context is open.

        Args:
            folder: There already, with a path of at most 90 characters.
        """
        socket = folder / "socket"
        for command in COMMANDS:
            program = folder / command
            program.write_text(_PROGRAM.format(python=sys.executable, socket=str(socket)))
            program.chmod(0o700)
        with _Server(str(socket), self) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            try:
                yield folder
            finally:
                server.shutdown()
                thread.join()
                socket.unlink()

    def _selected(self, options: Mapping[str, str]) -> list[FakeJob]:
        if "jobs" in options:
            return [self.jobs[job_id] for job_id in options["jobs"].split(",") if job_id in self.jobs]
        return [job for job in self.jobs.values() if job.name == options["name"]]

    def _sbatch(self, options: Mapping[str, str], script: str) -> Completed:
        job = FakeJob(str(len(self.jobs) + 1), options["job-name"], script)
        self.jobs[job.job_id] = job
        return Completed(0, f"{job.job_id}\n", "")

    def _squeue(self, options: Mapping[str, str]) -> Completed:
        found = [job for job in self._selected(options) if job.is_queued]
        if not found and "jobs" in options and "," not in options["jobs"]:
            return _NO_SUCH_JOB
        lines = [
            f"{job.job_id}|{job.state}|{job.reason}|{job.node}|{job.moment(1)}|{job.moment(2)}|{job.name}\n"
            for job in found
        ]
        return Completed(0, _QUEUE_HEADER + "".join(lines), "")

    def _sacct(self, options: Mapping[str, str]) -> Completed:
        if not self.accounting:
            return Completed(1, "", "Slurm accounting storage is disabled")
        lines = [line for job in self._selected(options) if job.is_accounted for line in _accounted(job)]
        return Completed(0, _ACCOUNTING_HEADER + "".join(lines), "")

    def _scontrol(self, job_id: str) -> Completed:
        job = self.jobs.get(job_id)
        if job is None or not job.is_queued:
            return _NO_SUCH_JOB
        return Completed(
            0,
            f"JobId={job.job_id} JobName={job.name} JobState={job.state} Reason={job.reason} "
            f"ExitCode={job.exit_code} RunTime=00:00:10 TimeLimit=01:00:00 SubmitTime={job.moment(0)} "
            f"StartTime={job.moment(1)} EndTime={job.moment(2)} NodeList={job.node} NumCPUs=1 "
            f"TRES=cpu=1,mem={job.memory},node=1\n",
            "",
        )

    def _scancel(self, options: Mapping[str, str], job_ids: Sequence[str]) -> Completed:
        chosen = self._selected(options) if options else [self.jobs[i] for i in job_ids if i in self.jobs]
        for job in chosen:
            if job.state not in FINAL_STATES:
                job.cancelled_by = os.getuid()
                job.end("CANCELLED")
        return Completed(0, "", "")


def away(answer: Answer) -> Completed:
    """Answer as where slurmctld is down; nothing is done."""
    del answer
    words = "Unable to contact slurm controller (connect failure)"
    return Completed(1, "", f"sbatch: error: Batch job submission failed: {words}")


def broken_off(answer: Answer) -> Completed:
    """Do the work, and then lose the connection."""
    answer()
    words = "Socket timed out on send/recv operation"
    return Completed(1, "", f"sbatch: error: Batch job submission failed: {words}")


def garbage(answer: Answer) -> Completed:
    """Answer nonsense, with numbers in it, and call it success."""
    del answer
    return Completed(0, "<html>502 Bad Gateway\n1|RUNNING\n\x00\ufffd 31337\n", "")


def silence(answer: Answer) -> Completed:
    """Print nothing, not even a header, and call it success."""
    del answer
    return Completed(0, "", "")


def empty(answer: Answer) -> Completed:
    """Answer in due form that there are no such jobs."""
    header, end, _ = answer().stdout.partition("\n")
    return Completed(0, header + end, "")


def refusing(words: str) -> Fault:
    """Return a fault of sbatch: no job is taken, for that reason."""
    return lambda _: Completed(1, "", f"sbatch: error: Batch job submission failed: {words}")


def _accounted(job: FakeJob) -> list[str]:
    by = f" by {job.cancelled_by}" if job.cancelled_by is not None else ""
    elapsed = str(job.seconds[2] - job.seconds[1]) if len(job.seconds) > 2 else "0"
    times = f"{job.moment(0)}|{job.moment(1)}|{job.moment(2)}|00:01.500|1"
    line = (
        f"{job.job_id}|{job.state}{by}|{job.exit_code}|{job.node or 'None assigned'}|{job.memory}||{elapsed}|"
        f"{job.minutes}|{times}|short|{job.name}\n"
    )
    if not job.node:
        return [line]
    state = job.step_state or job.state
    step = f"{job.job_id}.batch|{state}|{job.exit_code}|{job.node}||{job.peak}|{elapsed}||{times}||batch\n"
    return [line, step]


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, address: str, slurm: FakeSlurm) -> None:
        super().__init__(address, _Handler)
        self.slurm = slurm
        self.lock = threading.Lock()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        words, stdin = json.loads(self.rfile.readline())
        time.sleep(self.server.slurm.seconds)
        with self.server.lock:
            done = self.server.slurm.answer(words, stdin.encode())
        self.wfile.write(json.dumps([done.status, done.stdout, done.stderr]).encode())


_PROGRAM = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({socket!r})
    words = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
    asked.sendall(json.dumps([words, sys.stdin.read()]).encode() + b"\\n")
    status, out, err = json.loads(asked.makefile().read())
sys.stdout.buffer.write(out.encode())
sys.stderr.write(err)
sys.exit(status)
"""

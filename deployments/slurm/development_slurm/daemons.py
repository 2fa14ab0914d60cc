"""Daemons of a cluster: started in the background, known by pid and birth, stopped by that."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from development_slurm import processes
from development_slurm.errors import ClusterError
from development_slurm.programs import find

# In the environment of every daemon and of what it starts, except jobs: the cluster's folder, and its name.
MARK = "DEVELOPMENT_SLURM"
NAME = "DEVELOPMENT_SLURM_DAEMON"
START_SECONDS = 60
STOP_SECONDS = 15
LINES_TOLD = 20


@dataclass(frozen=True)
class Daemon:
    """A program that stays.

    Attributes:
        name: Of its records: `run/NAME` holds pid and birth, `log/NAME.out` what it printed.
        folder: The cluster's.
        command: Runs it in the foreground.
        is_ready: Whether it serves; may raise what a command said that it did not answer.
        environment: What it needs beyond the caller's variables.
    """

    name: str
    folder: Path
    command: list[str]
    is_ready: Callable[[], bool]
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it, unless it lives; it outlives the caller."""
        if self.pid is not None:
            return
        with self._output.open("ab") as output:
            process = subprocess.Popen(
                [find(self.command[0]), *self.command[1:]],
                env=os.environ | self.environment | {MARK: str(self.folder), NAME: self.name},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                start_new_session=True,
            )
        self._record.write_text(f"{process.pid} {processes.birth(process.pid)}")

    def await_ready(self) -> None:
        """Wait until it serves.

        Raises:
            ClusterError: It died, or took too long; with what it said last.
        """
        refusal = ""

        def serves() -> bool:
            nonlocal refusal
            try:
                return self.pid is None or self.is_ready()
            except ClusterError as error:
                refusal = str(error)
                return False

        served = processes.wait_until(serves, seconds=START_SECONDS)
        if self.pid is None:
            raise ClusterError(f"{self.name} ended at once.", self._last_words())
        if not served:
            what = f"{self.name} does not serve after {START_SECONDS} s."
            raise ClusterError(what, f"{refusal}\n{self._last_words()}".strip())

    def stop(self) -> None:
        """Ask it to end; make it end where it does not."""
        pid = self.pid
        if pid is None:
            return
        processes.send(pid, signal.SIGTERM)
        if not processes.wait_until(lambda: self.pid is None, seconds=STOP_SECONDS):
            self.kill()

    def kill(self) -> None:
        """End it without asking."""
        if self.pid is not None:
            processes.kill([self.pid])

    @property
    def pid(self) -> int | None:
        """Its process, as long as that is the one that was started."""
        try:
            pid, born = self._record.read_text().split()
        except FileNotFoundError:
            return None
        return int(pid) if processes.birth(int(pid)) == born else None

    @property
    def _record(self) -> Path:
        return self.folder / "run" / self.name

    @property
    def _output(self) -> Path:
        return self.folder / "log" / f"{self.name}.out"

    def _last_words(self) -> str:
        said = self._output.read_text(errors="replace").splitlines()
        return "\n".join(said[-LINES_TOLD:])

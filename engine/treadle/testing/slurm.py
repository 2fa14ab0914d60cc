"""A real SLURM on this machine for as long as a test, a session of tests or a script needs it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from treadle.errors import ClusterError


class DevelopmentSlurm:
    """The SLURM that `deployments/slurm/cluster` starts: four nodes or more, and accounting.

    A context manager around its life. It also ends when this process does, however that comes. Several live
    side by side. The partitions `short` and `long` have half of the nodes each, of 4 cpus and 4000 MB; the
    last node has two devices, `--gres=gpu`.

    Args:
        script: The program `deployments/slurm/cluster` of a clone of Treadle.
        folder: Takes all of the cluster's files; not there yet, with a path of at most 90 characters.
        nodes: How many, two at least.
        accounting: Whether `sacct` works and limits of users hold.
    """

    def __init__(self, script: Path, folder: Path, *, nodes: int = 4, accounting: bool = True) -> None:
        self.folder = folder
        self.nodes = tuple(f"n{number}" for number in range(1, nodes + 1))
        self._script = script
        self._accounting = accounting
        self._environment: dict[str, str] = {}

    def install(self) -> None:
        """Install the Debian packages it needs, where they are not here.

        Raises:
            ClusterError: They are not here, and cannot be installed.
        """
        self._order("install", folder=False)

    def start(self) -> None:
        """Start it; returns when all nodes are idle.

        Raises:
            ClusterError: What did not come up, with its own words as detail; nothing is left of the others.
        """
        accounting = "--accounting" if self._accounting else "--no-accounting"
        said = self._order("start", f"--nodes={len(self.nodes)}", accounting, f"--owner={os.getpid()}")
        self._environment = dict(word.split("=", 1) for word in shlex.split(said) if "=" in word)

    def stop(self) -> None:
        """Cancel its jobs and stop it; neither a process nor a file is left. Harmless where it is not up."""
        self._order("stop")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which SLURM's commands find it, to be added to the caller's own."""
        return dict(self._environment)

    @property
    def limits_memory(self) -> bool:
        """Whether a job that exceeds its memory ends as OUT_OF_MEMORY, rather than as FAILED."""
        return bool(self.status()["memory"] == "limited")

    def status(self) -> dict[str, Any]:
        """Return `daemons`, process ids by name, and `nodes`, states by name; see `cluster status`."""
        found: dict[str, Any] = json.loads(self._order("status"))
        return found

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of SLURM's commands on it to its end, whatever that is; streams are captured as text."""
        return subprocess.run(
            command,
            check=False,
            env=os.environ | self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def jobs(self) -> list[str]:
        """Return the ids of all jobs that wait or run."""
        return self.run("squeue", "--noheader", "--format=%A").stdout.split()

    def stop_controller(self) -> None:
        """Stop slurmctld: jobs run on, and every command fails after some seconds."""
        self._order("stop-controller")

    def start_controller(self) -> None:
        """Start slurmctld again; it knows the jobs it knew."""
        self._order("start-controller")

    def stop_accounting(self) -> None:
        """Stop slurmdbd: jobs are taken and run, and `sacct` fails."""
        self._order("stop-accounting")

    def start_accounting(self) -> None:
        """Start slurmdbd again; it is told what it missed."""
        self._order("start-accounting")

    def kill_node(self, name: str, *, leave_jobs: bool = False) -> None:
        """End a node as a power cut would, and have SLURM know it: its jobs end as NODE_FAIL.

        Args:
            name: One of `nodes`.
            leave_jobs: Whether processes of jobs live on, as where only the node's network failed.
        """
        self._order("kill-node", name, *(["--leave-jobs"] if leave_jobs else []))

    def revive_node(self, name: str) -> None:
        """Start a node that was killed; returns when it takes jobs."""
        self._order("revive-node", name)

    def expire_job(self, job: str) -> None:
        """Let a running job's time be over: SLURM ends it as TIMEOUT the next time it looks, within 30 s.

        Limits of time are whole minutes, so that waiting for one takes longer.
        """
        self._order("expire-job", job)

    def limit_submissions(self, most: int | None) -> None:
        """Let this user have so many jobs, pending and running: SLURM refuses more. None lifts the limit."""
        self._order("limit-submissions", str(-1 if most is None else most))

    def _order(self, command: str, *words: str, folder: bool = True) -> str:
        place = [str(self.folder)] if folder else []
        done = subprocess.run(
            [sys.executable, str(self._script), command, *place, *words],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            what, _, detail = done.stderr.strip().partition("\n")
            error = ClusterError(what or f"cluster {command} ended with {done.returncode}.", detail=detail)
            error.add_note(detail)  # a test that fails shows it
            raise error
        return done.stdout

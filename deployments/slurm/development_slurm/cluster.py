"""The life of a cluster: its daemons in the order in which they need each other, and its end."""

from __future__ import annotations

import os
import shutil
from functools import cached_property
from pathlib import Path

from development_slurm import cgroups, processes
from development_slurm.daemons import MARK, NAME, Daemon
from development_slurm.errors import ClusterError
from development_slurm.keeper import keeper
from development_slurm.plan import Plan
from development_slurm.programs import call

ACCOUNT = "lab"
JOBS_END_SECONDS = 6  # KillWait, and some to spare


class Cluster:
    """The cluster of a plan, whether it is up or not.

    Args:
        plan: What it consists of.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def start(self, owner: int | None = None) -> None:
        """Start all daemons and wait until all nodes are idle; stop them again where one does not come up.

        Args:
            owner: Process after whose end the cluster stops by itself.

        Raises:
            ClusterError: What did not come up, with its own words.
        """
        self.plan.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.plan.folder.chmod(0o700)
        try:
            self.plan.write()
            if owner is not None:
                keeper(self.plan.folder, owner).start()
            self.munge.start()
            if self.plan.accounting:
                self._start_accounting()
            self.munge.await_ready()
            self.start_controller()
            for node in self.nodes.values():
                node.start()
            for node in self.nodes.values():
                node.await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Cancel the jobs, end every process of the cluster and remove its folder and cgroups."""
        if self.controller.pid is not None:
            self._cancel_jobs()
        daemons = [*self.nodes.values(), self.controller, self.accounting, self.database, self.munge]
        for daemon in daemons:
            daemon.kill()  # what they would write first goes with the folder
        self.kill_jobs(list(self.nodes))
        processes.kill(set(processes.carrying({MARK: str(self.plan.folder)})) - {os.getpid()})
        if self.plan.cgroup:
            cgroups.remove(Path(self.plan.cgroup))
        shutil.rmtree(self.plan.folder)

    def status(self) -> dict[str, object]:
        """Return what lives: pids of daemons, None for a dead one; states of nodes where SLURM answers."""
        daemons = [self.munge, self.controller, *self.nodes.values()]
        if self.plan.accounting:
            daemons += [self.database, self.accounting]
        return {
            "environment": self.plan.environment,
            "memory": "limited" if self.plan.cgroup else "polled",
            "daemons": {daemon.name: daemon.pid for daemon in daemons},
            "nodes": {name: self.state_of(name) for name in self.nodes} if self.controller.pid else {},
        }

    def start_controller(self) -> None:
        """Start slurmctld, with the jobs it knew when it was stopped."""
        self.controller.start()
        self.controller.await_ready()

    def kill_jobs(self, nodes: list[str]) -> None:
        """End what jobs run on these nodes: first SLURM's process beside each, so that it tells nobody."""
        steps = {pid for node in nodes for pid in processes.carrying(self._steps_of(node))}
        jobs = processes.below(steps)
        for node in nodes:
            jobs |= set(processes.carrying(self._jobs_of(node)))
            jobs |= cgroups.members(Path(self.plan.cgroup) / f"slurm_{node}") if self.plan.cgroup else set()
        processes.kill(steps)
        processes.kill(jobs - steps)

    def modify_user(self, *settings: str) -> None:
        """Change what accounting holds of the user."""
        self.ask("sacctmgr", "--immediate", "modify", "user", self.plan.user, "set", *settings)

    def ask(self, *command: str) -> str:
        """Run one of SLURM's commands on this cluster."""
        return call(list(command), environment=self.plan.environment)

    @cached_property
    def munge(self) -> Daemon:
        """Who is who."""
        folder, socket = self.plan.folder, f"{self.plan.folder}/munge.sock"
        return Daemon(
            "munged",
            folder,
            [
                "munged",
                "--foreground",
                "--force",  # it would rather have a socket that everybody reaches
                f"--socket={socket}",
                f"--key-file={folder}/munge.key",
                f"--log-file={folder}/log/munged.log",
                f"--pid-file={folder}/run/munged.own",
                f"--seed-file={folder}/run/munge.seed",
            ],
            lambda: bool(call(["munge", "--no-input", f"--socket={socket}"], environment={})),
        )

    @cached_property
    def database(self) -> Daemon:
        """MariaDB, for the accounting daemon alone."""
        return Daemon(
            "mariadbd",
            self.plan.folder,
            ["mariadbd", f"--defaults-file={self._database_options}"],
            lambda: bool(call(["mariadb-admin", *self._database_client, "ping"], environment={})),
        )

    @cached_property
    def accounting(self) -> Daemon:
        """The accounting daemon, slurmdbd."""
        return Daemon(
            "slurmdbd",
            self.plan.folder,
            ["slurmdbd", "-D"],
            lambda: bool(self.ask("sacctmgr", "show", "stats")),
            self.plan.environment | {"MYSQL_UNIX_PORT": self._database_socket},
        )

    @cached_property
    def controller(self) -> Daemon:
        """The controller, slurmctld."""
        return Daemon(
            "slurmctld",
            self.plan.folder,
            ["slurmctld", "-D"],
            lambda: "UP" in self.ask("scontrol", "ping"),
            self.plan.environment,
        )

    @cached_property
    def nodes(self) -> dict[str, Daemon]:
        """One slurmd for each node."""
        return {
            name: Daemon(
                name,
                self.plan.folder,
                ["slurmd", "-D", "-N", name],
                lambda name=name: self.state_of(name) in {"idle", "mixed", "allocated"},  # type: ignore[misc]
                self.plan.environment,
            )
            for name in self.plan.node_names
        }

    def state_of(self, node: str) -> str:
        """Return a node's state as sinfo words it, with a mark such as `*` for one that does not answer."""
        states = self.ask("sinfo", "--noheader", "--Node", f"--nodes={node}", "--format=%T")
        return states.split()[0]

    def _start_accounting(self) -> None:
        call(
            [
                "mariadb-install-db",
                f"--defaults-file={self._database_options}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            environment={},
        )
        self.database.start()
        self.database.await_ready()
        self.munge.await_ready()
        self.accounting.start()
        self.accounting.await_ready()
        for words in (
            ["cluster", self.plan.name],
            ["account", ACCOUNT, "Description=development", "Organization=none"],
            ["user", self.plan.user, f"Account={ACCOUNT}"],
            ["qos", "urgent", "Preempt=normal", "Priority=1"],
        ):
            self.ask("sacctmgr", "--immediate", "add", *words)
        self.modify_user(f"DefaultAccount={ACCOUNT}", "QOS=normal,urgent")  # root had another account

    def _cancel_jobs(self) -> None:
        try:
            jobs = self.ask("squeue", "--noheader", "--format=%A").split()
            if jobs:
                self.ask("scancel", *jobs)
        except ClusterError:
            return  # it does not answer; what runs is killed all the same
        marks = [self._steps_of(name) for name in self.nodes]
        alive = {daemon.pid for daemon in self.nodes.values()}
        processes.wait_until(
            lambda: all(set(processes.carrying(variables)) <= alive for variables in marks),
            seconds=JOBS_END_SECONDS,
        )

    def _steps_of(self, node: str) -> dict[str, str]:
        return {MARK: str(self.plan.folder), NAME: node}

    def _jobs_of(self, node: str) -> dict[str, str]:
        return self.plan.environment | {"SLURMD_NODENAME": node}

    @property
    def _database_options(self) -> Path:
        return self.plan.folder / "etc" / "mariadb.cnf"

    @property
    def _database_client(self) -> list[str]:
        return ["--no-defaults", "--user=root", f"--socket={self._database_socket}"]

    @property
    def _database_socket(self) -> str:
        return os.fspath(self.plan.folder / "mariadb.sock")

"""A real SLURM on this machine, in one folder: munge, slurmctld, nodes, and accounting with its database."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from development_slurm import faults, programs
from development_slurm.cluster import Cluster
from development_slurm.errors import ClusterError
from development_slurm.keeper import keep
from development_slurm.plan import new_plan, read_plan

Action = Callable[[argparse.Namespace], None]


def main() -> None:
    """Do what the command line says."""
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _parser().parse_args()
    try:
        options.action(options)
    except ClusterError as error:
        sys.exit(f"cluster: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="cluster", description=__doc__)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, action: Action, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(action=action)
        if name != "install":
            command.add_argument("folder", metavar="FOLDER", type=lambda text: Path(text).resolve())
        return command

    add("install", lambda _: programs.install(), "install Debian's packages, as root")
    start = add("start", _start, "start a cluster in a new folder and print what `env` prints")
    start.add_argument("--nodes", type=int, default=4, help="how many (4)")
    start.add_argument(
        "--accounting", action=argparse.BooleanOptionalAction, default=True, help="sacct (yes)"
    )
    start.add_argument("--owner", type=int, metavar="PID", help="stop by itself when this process has ended")
    add("env", _print_environment, 'print what a shell needs: eval "$(cluster env FOLDER)"')
    add("status", _print_status, "print what lives, as JSON")
    add("stop", _stop, "cancel all jobs, end all processes and remove the folder")

    add("stop-controller", _with_cluster(faults.stop_controller), "stop slurmctld alone")
    add("start-controller", _with_cluster(Cluster.start_controller), "start slurmctld again")
    add("stop-accounting", _with_cluster(faults.stop_accounting), "stop slurmdbd alone")
    add("start-accounting", _with_cluster(faults.start_accounting), "start slurmdbd again")
    kill = add("kill-node", _kill_node, "end a node with all that runs on it, and set it down")
    kill.add_argument("node", metavar="NODE")
    kill.add_argument("--leave-jobs", action="store_true", help="end its slurmd alone")
    revive = add("revive-node", _revive_node, "bring a killed node back")
    revive.add_argument("node", metavar="NODE")
    expire = add(
        "expire-job", _expire_job, "let a running job's time be over: it ends as TIMEOUT within 30 s"
    )
    expire.add_argument("job", metavar="JOB")
    limit = add("limit-submissions", _limit_submissions, "set MaxSubmitJobs of the user")
    limit.add_argument("most", type=int, help="jobs queued and running at once; -1 for no limit")
    keeping = commands.add_parser("keep")
    keeping.set_defaults(action=lambda options: keep(_cluster(options).stop, options.owner, options.birth))
    keeping.add_argument("folder", type=Path)
    keeping.add_argument("owner", type=int)
    keeping.add_argument("birth")
    return top


def _with_cluster(act: Callable[[Cluster], None]) -> Action:
    return lambda options: act(_cluster(options))


def _cluster(options: argparse.Namespace) -> Cluster:
    return Cluster(read_plan(options.folder))


def _start(options: argparse.Namespace) -> None:
    plan = new_plan(options.folder, nodes=options.nodes, accounting=options.accounting)
    Cluster(plan).start(options.owner)
    _print_environment(options)


def _print_environment(options: argparse.Namespace) -> None:
    for name, value in read_plan(options.folder).environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def _print_status(options: argparse.Namespace) -> None:
    sys.stdout.write(json.dumps(_cluster(options).status(), indent=2) + "\n")


def _stop(options: argparse.Namespace) -> None:
    if options.folder.exists():
        _cluster(options).stop()


def _kill_node(options: argparse.Namespace) -> None:
    faults.kill_node(_cluster(options), options.node, leave_jobs=options.leave_jobs)


def _revive_node(options: argparse.Namespace) -> None:
    faults.revive_node(_cluster(options), options.node)


def _expire_job(options: argparse.Namespace) -> None:
    faults.expire_job(_cluster(options), options.job)


def _limit_submissions(options: argparse.Namespace) -> None:
    faults.limit_submissions(_cluster(options), options.most)

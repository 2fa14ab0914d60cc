"""Drives runs in forks of itself, so that a driver is there without the seconds that its imports take.

A line on standard input is the number of a run; the answers are a line with the process id of its driver, and
a line with that process's wait status when it has ended. The environment is that of Prefect's clients.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import prefect.client.orchestration
import prefect.flow_engine
import prefect.task_engine  # noqa: F401 - imported once for all drivers

import treadle.clusters.session  # noqa: F401 - as above
from treadle.clusters import open_cluster
from treadle.compile.observer import Observer
from treadle.ledger import Ledger, sqlite_url
from treadle.model.states import RunState
from treadle.runs.drive import drive
from treadle.settings import Settings


def drive_here(settings: Settings, run_id: int) -> int:
    with (
        Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger,
        open_cluster("local", settings) as cluster,
    ):
        record = drive(run_id, ledger=ledger, settings=settings, cluster=cluster, observer=Observer())
    return 0 if record.state is RunState.DONE else 1


def say(answer: int) -> None:
    sys.stdout.write(f"{answer}\n")
    sys.stdout.flush()


def main(home: str) -> None:
    settings = Settings(home=Path(home), workers=2, port=0)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            status = 2
            try:
                status = drive_here(settings, int(line))
            finally:
                os._exit(status)
        say(pid)
        say(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main(sys.argv[1])

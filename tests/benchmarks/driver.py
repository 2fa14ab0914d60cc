"""Drives a submitted run in a process of its own, and prints how long that took and what it needed."""

from __future__ import annotations

import json
import resource
import sys
import time

from treadle.clusters import open_cluster
from treadle.compile.observer import Observer
from treadle.ledger import Ledger, sqlite_url
from treadle.runs.drive import drive
from treadle.settings import load_settings


def main(run_id: int, cluster_name: str) -> None:
    """Drive one run, once the cluster is up."""
    settings = load_settings()
    file = sqlite_url(settings.home / "ledger.sqlite")
    with Ledger(file) as ledger, open_cluster(cluster_name, settings) as cluster:
        begin = time.time()
        run = drive(run_id, ledger=ledger, settings=settings, cluster=cluster, observer=Observer())
        returned = time.time()
    assert run.ended_at is not None
    figures = {
        "seconds": run.ended_at.timestamp() - begin,
        "returned_seconds": returned - begin,
        "step_seconds": [
            (step.ended_at - step.started_at).total_seconds()
            for step in run.steps
            if step.started_at is not None and step.ended_at is not None
        ],
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])

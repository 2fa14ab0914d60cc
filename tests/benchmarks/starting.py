"""Brings up workers in SLURM jobs in a process of its own, and prints how long that took."""

from __future__ import annotations

import json
import sys
import time
from tempfile import TemporaryDirectory

from treadle.clusters import open_cluster
from treadle.settings import load_settings
from treadle.testing.cluster import wait_for_file, wait_until


def main(workers: int) -> None:
    """Order a function for each worker; each runs until all do."""
    with TemporaryDirectory() as folder, open_cluster("slurm", load_settings()) as cluster:
        pool = cluster.pool()
        begin = time.monotonic()
        pool.expect("benchmark", workers)
        futures = [pool.submit(wait_for_file, f"{folder}/never") for _ in range(workers)]
        wait_until(lambda: all(future.running() for future in futures), 120)
        seconds = time.monotonic() - begin
    sys.stdout.write(json.dumps({"seconds": seconds}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))

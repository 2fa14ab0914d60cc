"""What tests of clusters of SLURM jobs share: a profile, a book, the workers there are, a doomed driver.

`python -m treadle.testing.slurm_cluster PROFILE FOLDER` is a driver with more work than will ever be done.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from treadle.clusters.port import JobOver, JobStarted
from treadle.clusters.slurm.cluster import SlurmCluster
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.testing.cluster import wait_until

WORKER = b"treadle.clusters.slurm.worker"
RUNNING = "running"
JOBS_OF_DRIVER = 8


class RememberingBook:
    """Remembers what it is told of jobs.

    Attributes:
        jobs: Those submitted, in their order.
        ends: How they ended, by their id.
    """

    def __init__(self) -> None:
        self.jobs: list[JobStarted] = []
        self.ends: dict[str, JobOver] = {}

    def started(self, job: JobStarted) -> None:
        """See `JobBook`."""
        self.jobs.append(job)

    def over(self, job: JobOver) -> None:
        """See `JobBook`."""
        self.ends[job.id] = job


def small_profile(*, slots: int = 1, max_jobs: int = 1, **more: object) -> ClusterProfile:
    """Return a profile for a SLURM on this machine, whose ends of jobs are noticed soon.

    Args:
        slots: Units at once in a job.
        max_jobs: Jobs at once.
        more: Other values of the profile.
    """
    values: dict[str, object] = {
        "host": "127.0.0.1",
        "poll_seconds": 0.5,
        "poll_seconds_max": 2,
        "job_time": "00:05:00",
        "target_cpus_per_job": slots,
        "max_jobs": max_jobs,
    }
    return ClusterProfile.model_validate(values | more)


def worker_pids(folder: Path) -> list[int]:
    """Return the process ids of workers in jobs of clusters that have their folders in this one."""
    within = f"{folder}/".encode()
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            words = file.read_bytes().split(b"\0")
            if WORKER in words and any(word.startswith(within) for word in words):
                found.append(int(file.parent.name))
    return found


@contextmanager
def doomed_driver(profile: ClusterProfile, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a driver with `JOBS_OF_DRIVER` jobs of 4 cpus; in the end kill it, and wait for its reaper.

    One of the jobs runs by now.

    Args:
        profile: Of its cluster; has room for those jobs.
        folder: For its cluster.
    """
    words = [sys.executable, "-m", __name__, profile.model_dump_json(), str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as driver:
        try:
            if driver.stdout is None or driver.stdout.readline() != f"{RUNNING}\n":
                raise AssertionError("the driver ended before its first job ran")
            left = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
            yield driver
            driver.kill()
            wait_until(lambda: not any(Path("/proc", pid).exists() for pid in left))
        finally:
            driver.kill()


def main(profile: str, folder: str) -> None:
    """Be a driver until somebody ends it."""
    with SlurmCluster("slurm", ClusterProfile.model_validate_json(profile), Path(folder)) as cluster:
        pool = cluster.pool(Resources(partition="short", cpus=4))
        pool.expect("test", JOBS_OF_DRIVER)
        futures = [pool.submit(time.sleep, 600) for _ in range(JOBS_OF_DRIVER)]
        wait_until(lambda: any(future.running() for future in futures))
        sys.stdout.write(f"{RUNNING}\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""A Dask worker inside a SLURM job: `python -P -m treadle.clusters.slurm.worker FOLDER NAME SLOTS SECONDS`.

FOLDER is the run's, SECONDS the job's time limit. It ends with its job, when the driver wants it no more, and
when the driver is gone; the launcher of its units sees its end and ends them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from treadle.clusters.slurm.introduction import Introduction
from treadle.clusters.slurm.verdict import MORE_MEMORY

MARGIN_SECONDS = 5.0
BYTES_PER_MB = 1000 * 1000
BYTES_PER_MIB = 1024 * 1024


def main(folder: str, name: str, slots: str, seconds: str) -> None:
    """Be a worker until the driver, or the scheduler, is gone."""
    ends_at = _job_end(float(seconds))
    try:
        introduction = Introduction.read(Path(folder))
    except FileNotFoundError:
        sys.exit("The run that this job was for has ended.")
    sys.path[:] = introduction.module_path
    from treadle.execute.environment import HOME
    from treadle.execute.worker import name_worker

    if introduction.home is not None:
        os.environ.setdefault(HOME, introduction.home)

    name_worker(name, ends_at=ends_at, place=_place(os.environ))
    logging.getLogger("distributed").setLevel(logging.WARNING)
    scratch = tempfile.mkdtemp(prefix="treadle-worker-", dir=introduction.local_directory)
    try:
        asyncio.run(_work(introduction, name, int(slots), scratch, ends_at))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def _job_end(seconds: float) -> float:
    """Return when SLURM ends this job, with a margin: it tells newer ones, others count from their start."""
    told = os.environ.get("SLURM_JOB_END_TIME", "")
    return (float(told) if told.isdigit() else time.time() + seconds) - MARGIN_SECONDS


def _place(variables: Mapping[str, str]) -> str:
    """Say which job this is, and what memory its units and this process share, as SLURM tells jobs."""
    job, node = variables.get("SLURM_JOB_ID", ""), variables.get("SLURMD_NODENAME", "")
    mebibytes = variables.get("SLURM_MEM_PER_NODE", "")
    had = f", which had {int(mebibytes) * BYTES_PER_MIB // BYTES_PER_MB} MB" if mebibytes.isdigit() else ""
    return f"It ran in SLURM job {job} on {node}{had}. {MORE_MEMORY}"


async def _work(introduction: Introduction, name: str, slots: int, scratch: str, ends_at: float) -> None:
    import dask
    from distributed.security import Security
    from distributed.utils import get_ip

    from treadle.clusters.servers import CONFIGURATION, QuietWorker

    security = Security(
        require_encryption=True,
        tls_ca_file=introduction.authority,
        tls_worker_cert=introduction.certificate,
        tls_worker_key=introduction.key,
    )
    dask.config.set(CONFIGURATION)
    worker = QuietWorker(
        introduction.scheduler,
        name=name,
        threads=slots,
        folder=scratch,
        security=security,
        host=get_ip(
            urlsplit(introduction.scheduler).hostname or ""
        ),  # no other network has any business here
        death_timeout=introduction.patience_seconds,
        ends_at=ends_at,
    )
    await worker.work()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Outlives a driver that dies, takes its jobs out of SLURM's queue, and removes what workers were told.

Workers notice by themselves that their driver is gone. Jobs that are still pending do not: they would hold
their place in the queue, begin one day, and find nobody. The driver holds this process's standard input open,
and closes it in the end with a word that all is done; if the word is missing, the driver has died.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, cast

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.transports import open_transport
from treadle.errors import ClusterError
from treadle.execute.environment import without_own
from treadle.model.profile import ClusterProfile

ALL_DONE = b"done\n"
PAUSE_SECONDS = 5.0
PATIENCE_SECONDS = 600.0

logger = logging.getLogger(__name__)


class Reaper:
    """The driver's side.

    Args:
        profile: How SLURM is reached.
        token: Begins the name of every job of this driver.
        folder: The cluster's private folder, which has the keys to it.
    """

    def __init__(self, profile: ClusterProfile, token: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, profile.model_dump_json(), token, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=without_own(os.environ),
            start_new_session=True,
        )
        self._stdin = cast("IO[bytes]", self._process.stdin)

    def dismiss(self, *, all_over: bool) -> None:
        """Let it end without doing anything, or leave to it what jobs there may still be."""
        try:
            if all_over:
                self._stdin.write(ALL_DONE)
            self._stdin.close()
        except BrokenPipeError:
            logger.warning("reaper_gone status=%s", self._process.poll())
        if all_over:
            self._process.wait()


async def _reap(profile: ClusterProfile, token: str) -> None:
    """Cancel all jobs whose name begins so, until there are none; give up when SLURM is away for too long."""
    slurm = Slurm(open_transport(profile))
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            try:
                jobs = await slurm.unfinished(token)
                if not jobs:
                    return
                await slurm.cancel(jobs)
            except ClusterError:
                logger.info("reaper_waits token=%s", token)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await slurm.close()


def main(profile: str, token: str, folder: str) -> None:
    """Wait for the driver's end; clean up unless it has done so."""
    if sys.stdin.buffer.readline() != ALL_DONE:
        shutil.rmtree(folder, ignore_errors=True)
        asyncio.run(_reap(ClusterProfile(**json.loads(profile)), token))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Jobs that a dead driver has left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from treadle.clusters.slurm.asking import ask_slurm
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.verdict import JobEnd
from treadle.model.profile import ClusterProfile

PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 20.0


def end_leftovers(profile: ClusterProfile, jobs: Mapping[str, str]) -> dict[str, JobEnd]:
    """Cancel jobs and return how they ended, as far as SLURM tells that soon.

    Args:
        profile: The cluster.
        jobs: SLURM's number of each by its name; the name decides, for numbers may be used again.

    Raises:
        ControllerAway: SLURM did not answer.
        ClusterError: SLURM does not let the caller.
    """

    async def end(slurm: Slurm) -> dict[str, JobEnd]:
        for name in jobs:
            await slurm.cancel_named(name)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ends = await slurm.ended(jobs.values())
            if len(ends) == len(jobs) or time.monotonic() > deadline:
                return ends
            await asyncio.sleep(PAUSE_SECONDS)

    return ask_slurm(profile, end)

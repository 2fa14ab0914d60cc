"""A question to SLURM by somebody who has no event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.transports import open_transport
from treadle.model.profile import ClusterProfile

T = TypeVar("T")


def ask_slurm(profile: ClusterProfile, ask: Callable[[Slurm], Coroutine[Any, Any, T]]) -> T:
    """Open the way to a cluster, ask, and return the answer; raises what `ask` does."""

    async def asked() -> T:
        slurm = Slurm(open_transport(profile))
        try:
            return await ask(slurm)
        finally:
            await slurm.close()

    return asyncio.run(asked())

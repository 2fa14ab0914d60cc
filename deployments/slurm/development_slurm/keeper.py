"""A process beside a cluster that stops it when its owner has ended, however that came."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from development_slurm import processes
from development_slurm.daemons import Daemon
from development_slurm.errors import ClusterError

if TYPE_CHECKING:
    from development_slurm.cluster import Cluster

LOOK_SECONDS = 0.5


def keeper(cluster: Cluster, owner: int) -> Daemon:
    """Return the keeper of a cluster.

    Raises:
        ClusterError: The owner is not there.
    """
    born = processes.birth(owner)
    if born is None:
        raise ClusterError(f"There is no process {owner} that could own the cluster.")
    folder = cluster.plan.folder
    command = [sys.executable, sys.argv[0], "keep", str(folder), str(owner), born]
    return Daemon("keeper", folder, command, lambda: True)


def keep(cluster: Cluster, owner: int, born: str) -> None:
    """Stop the cluster as soon as the process that began then is gone."""
    while processes.birth(owner) == born:
        time.sleep(LOOK_SECONDS)
    cluster.stop()

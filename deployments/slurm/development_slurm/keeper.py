"""A process beside a cluster that stops it when its owner has ended, however that came."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from development_slurm import processes
from development_slurm.daemons import Daemon
from development_slurm.errors import ClusterError

SCRIPT = Path(__file__).resolve().parent.parent / "cluster"
LOOK_SECONDS = 0.5


def keeper(folder: Path, owner: int) -> Daemon:
    """Return the keeper of the cluster in a folder.

    Raises:
        ClusterError: The owner is not there.
    """
    born = processes.birth(owner)
    if born is None:
        raise ClusterError(f"There is no process {owner} that could own the cluster.")
    command = [sys.executable, str(SCRIPT), "keep", str(folder), str(owner), born]
    return Daemon("keeper", folder, command, lambda: True)


def keep(stop: Callable[[], None], owner: int, born: str) -> None:
    """Call `stop` as soon as the process that began then is gone."""
    while processes.birth(owner) == born:
        time.sleep(LOOK_SECONDS)
    stop()

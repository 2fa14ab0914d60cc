"""Why a job waits, where no waiting helps: SLURM takes such a job, and never starts it."""

from __future__ import annotations

import re

from treadle.clusters.slurm.answers import QueueEntry
from treadle.errors import WorkersUnavailable

_SIZE = "Ask for less, or for another partition, account or QOS."
_HOPELESS: tuple[tuple[str, str], ...] = (
    (
        r"PartitionTimeLimit",
        "Ask for less time (--time, or job_time and driver in the profile), or another --partition.",
    ),
    (r"PartitionNodeLimit|MaxMemPerLimit|BadConstraints", _SIZE),
    (r"(Assoc|QOS)(Max|Min)\w*PerJob\w*|(Assoc|QOS)MaxWallDuration\w*", _SIZE),
    (r"AccountNotAllowed|InvalidAccount", "Name another account: --account, or the cluster's profile."),
    (r"QOSNotAllowed|InvalidQOS", "Name another QOS: --directive=--qos=NAME, or the cluster's profile."),
    (r"JobHeldAdmin|JobHeldUser", "Whoever holds it can release it: `scontrol release`."),
)


def check_waiting(entry: QueueEntry) -> None:
    """Do nothing for a job that will start one day, or has.

    Raises:
        WorkersUnavailable: It waits for what will not come by itself.
    """
    if entry.state != "PENDING":
        return
    for pattern, remedy in _HOPELESS:
        if re.fullmatch(pattern, entry.reason):
            raise WorkersUnavailable(
                f"SLURM took job {entry.job_id}, but will not start it: {entry.reason}.", remedy=remedy
            )

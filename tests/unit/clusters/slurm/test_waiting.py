"""Jobs that would wait for ever."""

from __future__ import annotations

import pytest

from treadle.clusters.slurm.answers import QueueEntry
from treadle.clusters.slurm.waiting import check_waiting
from treadle.errors import WorkersUnavailable


def entry(reason: str, state: str = "PENDING") -> QueueEntry:
    return QueueEntry("7", "name", state, reason, "", None, None)


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("PartitionTimeLimit", "--time"),
        ("PartitionNodeLimit", "partition"),
        ("QOSMaxCpuPerJobLimit", "QOS"),
        ("AssocMaxWallDurationPerJobLimit", "account"),
        ("InvalidAccount", "--account"),
        ("JobHeldUser", "scontrol release"),
    ],
)
def test_a_job_that_never_starts_is_an_error_with_slurms_word_and_what_to_do(
    reason: str, advice: str
) -> None:
    with pytest.raises(WorkersUnavailable, match=f"job 7, but will not start it: {reason}.*{advice}"):
        check_waiting(entry(reason))


@pytest.mark.parametrize("reason", ["Resources", "Priority", "AssocMaxJobsLimit", "ReqNodeNotAvail", ""])
def test_a_job_whose_turn_will_come_is_waited_for(reason: str) -> None:
    check_waiting(entry(reason))


def test_what_kept_a_job_waiting_is_no_matter_once_it_runs() -> None:
    check_waiting(entry("PartitionTimeLimit", "RUNNING"))

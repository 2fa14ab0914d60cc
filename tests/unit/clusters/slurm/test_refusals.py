"""What sbatch complains of is told apart: later, never, nobody there, nobody knows."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.clusters.slurm.refusals import Refusal, classify, reason


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("limit_reached", Refusal.TRANSIENT),
        ("bad_time", Refusal.PERMANENT),
        ("too_many_gpus", Refusal.PERMANENT),
        ("too_much_memory", Refusal.PERMANENT),
        ("unknown_account", Refusal.PERMANENT),
        ("unknown_partition", Refusal.PERMANENT),
        ("unknown_qos", Refusal.PERMANENT),
        ("without_slurmctld", Refusal.AWAY),
    ],
)
def test_refusals_of_a_real_slurm(sample: Callable[[str], str], name: str, refusal: Refusal) -> None:
    assert classify(sample(f"sbatch_{name}.err"))[0] is refusal


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("Socket timed out on send/recv operation", Refusal.UNCERTAIN),
        ("Zero Bytes were transmitted or received", Refusal.UNCERTAIN),
        ("Unable to contact slurm controller (receive failure)", Refusal.UNCERTAIN),
        ("Transport endpoint is not connected", Refusal.UNCERTAIN),
        ("Resource temporarily unavailable", Refusal.TRANSIENT),
        ("Unable to create job record, try again", Refusal.TRANSIENT),
        ("Required partition not available (inactive or drain)", Refusal.TRANSIENT),
        ("Required node not available (down, drained or reserved)", Refusal.TRANSIENT),
        ("Slurm backup controller in standby mode", Refusal.AWAY),
        ("Protocol authentication error", Refusal.AWAY),
        ("Requested time limit is invalid (missing or exceeds some limit)", Refusal.PERMANENT),
        ("User's group not permitted to use this partition", Refusal.PERMANENT),
        ("Access/permission denied", Refusal.PERMANENT),
        ("our site wants a project number in --comment", Refusal.PERMANENT),
    ],
)
def test_other_words_of_slurm(words: str, refusal: Refusal) -> None:
    assert classify(f"sbatch: error: Batch job submission failed: {words}")[0] is refusal


@pytest.mark.parametrize(
    ("limit", "refusal"),
    [
        ("AssocGrpSubmitJobsLimit", Refusal.TRANSIENT),
        ("QOSMaxSubmitJobPerUserLimit", Refusal.TRANSIENT),
        ("QOSMaxWallDurationPerJobLimit", Refusal.PERMANENT),
        ("AssocMaxCpuPerJobLimit", Refusal.PERMANENT),
    ],
)
def test_a_limit_of_jobs_passes_and_one_of_a_jobs_size_does_not(limit: str, refusal: Refusal) -> None:
    policy = "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
    words = f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed: {policy}"
    assert classify(words)[0] is refusal
    assert classify(words)[1]


def test_the_reason_is_what_follows_the_failure_or_else_the_last_line() -> None:
    assert reason("sbatch: error: hm\nsbatch: error: Batch job submission failed: Too late\n") == "Too late"
    assert reason("sbatch: error: Invalid --time specification") == "Invalid --time specification"
    assert reason("") == "it gave no reason"

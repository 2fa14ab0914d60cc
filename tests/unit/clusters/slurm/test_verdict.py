"""People are told why a job ended with its own figures, and nothing that SLURM did not say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from treadle.clusters.slurm.verdict import JobCause, JobEnd, clock, gone

END = JobEnd(
    job_id="1234",
    state="OUT_OF_MEMORY",
    cause=JobCause.OUT_OF_MEMORY,
    node="n2",
    exit_code=0,
    signal=0,
    elapsed_seconds=80,
    requested_memory_mb=1000,
    peak_memory_mb=1012,
    time_limit_seconds=60,
)


def explained(**changes: object) -> str:
    return replace(END, **changes).explanation


def test_out_of_memory_tells_what_it_had_and_used() -> None:
    assert END.explanation == "SLURM job 1234 on n2 was killed for memory: it had 1000 MB and used 1012 MB."
    assert END.remedy == "Ask for more: meta mem of the task, --memory, or the site's profile."


def test_out_of_memory_without_figures_says_so() -> None:
    assert explained(peak_memory_mb=None).endswith(": it had 1000 MB; how much it used is not known.")
    assert explained(peak_memory_mb=39).endswith(
        ": it had 1000 MB; SLURM saw 39 MB in use before the last rise."
    )
    assert explained(requested_memory_mb=None).endswith(
        ": SLURM does not tell how much it had and used 1012 MB."
    )


def test_time_limit_tells_what_it_had_and_ran() -> None:
    end = replace(END, cause=JobCause.TIMEOUT)
    assert end.explanation == (
        "SLURM job 1234 on n2 reached its time limit: it had 00:01:00 and ran 00:01:20."
    )
    assert "--time" in end.remedy


def test_failure_tells_status_or_signal() -> None:
    assert explained(cause=JobCause.FAILED, exit_code=3).endswith("failed with exit status 3 after 00:01:20.")
    assert explained(cause=JobCause.FAILED, signal=9).endswith("was killed by SIGKILL after 00:01:20.")
    assert explained(cause=JobCause.FAILED, signal=125).endswith("was killed by signal 125 after 00:01:20.")


def test_cancelled_tells_by_whom_and_when() -> None:
    assert explained(cause=JobCause.CANCELLED, cancelled_by="ada").endswith(
        "was cancelled by ada after 00:01:20."
    )
    assert explained(cause=JobCause.CANCELLED, node="") == (
        "SLURM job 1234 was cancelled by somebody whom SLURM does not name before it started."
    )


def test_node_failure_names_the_node_twice() -> None:
    end = replace(END, cause=JobCause.NODE_FAIL)
    assert end.explanation == "SLURM job 1234 on n2 ended after 00:01:20 because its node failed."
    assert "n2" in end.remedy


def test_a_job_without_record_is_not_given_a_reason() -> None:
    assert gone("7").explanation == "SLURM job 7 has ended, and SLURM has no record of how."


@pytest.mark.parametrize("cause", JobCause)
def test_every_cause_has_a_sentence_and_all_but_success_advice(cause: JobCause) -> None:
    end = replace(END, cause=cause)
    assert end.explanation.startswith("SLURM job 1234 on n2 ")
    assert bool(end.remedy) == (cause is not JobCause.COMPLETED)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "00:00:00"), (3_599, "00:59:59"), (90_061, "1-01:01:01"), (172_800, "2-00:00:00")],
)
def test_durations_are_written_as_slurm_does(seconds: int, text: str) -> None:
    assert clock(seconds) == text

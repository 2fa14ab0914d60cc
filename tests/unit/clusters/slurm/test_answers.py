"""What real SLURMs answered is read for what it says, and anything else is called garbled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from treadle.clusters.slurm.answers import (
    ACCOUNTING_FORMAT,
    Garbled,
    QueueEntry,
    read_accounting,
    read_queue,
    read_shown,
)
from treadle.clusters.slurm.verdict import JobCause, JobEnd

Sample = Callable[[str], str]

QUEUE_HEADER = "JOBID|STATE|REASON|NODELIST|START_TIME|END_TIME|NAME\n"


def as_asked(table: str) -> str:
    """Return a table of sacct with the columns that we ask for, in our order."""
    header, *lines = (line.split("|") for line in table.splitlines())
    rows = [dict(zip(header, line[: len(header)], strict=True)) for line in lines]
    names = ACCOUNTING_FORMAT.split(",")
    return "".join("|".join(row) + "\n" for row in [names, *([row[n] for n in names] for row in rows)])


def only_end(table: str) -> JobEnd:
    records = read_accounting(table)
    assert not records.unfinished
    [end] = records.ends.values()
    return end


def test_a_job_in_the_queue_is_read_with_its_node_and_times() -> None:
    text = QUEUE_HEADER + "7|RUNNING|None|n1|1795284235|1795284535|pool-1\n"
    assert read_queue(text) == {
        "7": QueueEntry(
            "7",
            "pool-1",
            "RUNNING",
            "",
            "n1",
            datetime(2026, 11, 21, 18, 3, 55, tzinfo=UTC),
            datetime(2026, 11, 21, 18, 8, 55, tzinfo=UTC),
        )
    }


def test_every_state_of_a_real_queue_is_read(sample: Sample) -> None:
    """The sample has two columns more, which are taken out here."""
    lines = [line.split("|", 8) for line in sample("squeue_format_epoch.out").splitlines()]
    text = QUEUE_HEADER + "".join("|".join([*line[:4], *line[6:]]) + "\n" for line in lines)
    queue = read_queue(text)
    assert len(queue) == 15
    assert (queue["9"].state, queue["9"].reason, queue["9"].node) == ("PENDING", "PartitionTimeLimit", "")
    assert queue["9"].start_time is None
    assert queue["11"].name == "waits|for n1"
    assert {entry.state for entry in queue.values() if entry.is_final} == {"FAILED", "CANCELLED", "COMPLETED"}


def test_an_empty_queue_has_a_header_and_silence_is_no_answer() -> None:
    assert read_queue(QUEUE_HEADER) == {}
    with pytest.raises(Garbled):
        read_queue("")


def test_what_a_site_prints_before_the_answer_is_passed_over() -> None:
    assert list(
        read_queue(f"Welcome to cluster 42\n1|2|3\n{QUEUE_HEADER}5|PENDING|Priority||N/A|N/A|x\n")
    ) == ["5"]


@pytest.mark.parametrize(
    "line", ["<html>", "7|RUNNING", "seven|RUNNING|None|n1|1|2|x", "7|running 3|None|n1|1|2|x", "\x00|\x00"]
)
def test_a_line_that_is_no_job_makes_all_of_it_garbled(line: str) -> None:
    with pytest.raises(Garbled):
        read_queue(f"{QUEUE_HEADER}5|PENDING|Priority||N/A|N/A|x\n{line}\n")
    with pytest.raises(Garbled):
        read_accounting(f"{ACCOUNTING_FORMAT.replace(',', '|')}\n{line}\n")


@pytest.mark.parametrize(
    ("name", "cause", "node", "status"),
    [
        ("completed", JobCause.COMPLETED, "n1", (0, 0)),
        ("failed", JobCause.FAILED, "n1", (3, 0)),
        ("signalled", JobCause.FAILED, "n1", (0, 11)),
        ("out_of_memory", JobCause.OUT_OF_MEMORY, "n1", (0, 125)),
        ("memory_polled", JobCause.OUT_OF_MEMORY, "n1", (0, 9)),
        ("cancelled_running", JobCause.CANCELLED, "n2", (0, 0)),
        ("cancelled_pending", JobCause.CANCELLED, "", (0, 0)),
        ("timed_out", JobCause.TIMEOUT, "n2", (0, 0)),
        ("node_failed", JobCause.NODE_FAIL, "n3", (0, 0)),
        ("preempted", JobCause.PREEMPTED, "n4", (0, 0)),
    ],
)
def test_each_end_has_its_cause(
    sample: Sample, name: str, cause: JobCause, node: str, status: tuple[int, int]
) -> None:
    end = only_end(as_asked(sample(f"sacct_{name}.out")))
    assert (end.cause, end.node, (end.exit_code, end.signal)) == (cause, node, status)


def test_memory_is_in_mb_of_a_million_bytes_and_the_peak_that_of_a_step(sample: Sample) -> None:
    end = only_end(as_asked(sample("sacct_completed.out")))
    assert (end.requested_memory_mb, end.peak_memory_mb) == (1049, 110)
    assert (end.elapsed_seconds, end.time_limit_seconds, end.cpus, end.cpu_seconds) == (3, 300, 1, 0.079)


def test_who_cancelled_is_told_by_number(sample: Sample) -> None:
    assert only_end(as_asked(sample("sacct_cancelled_running.out"))).cancelled_by == "0"
    assert only_end(as_asked(sample("sacct_completed.out"))).cancelled_by is None


def test_times_are_in_utc_and_a_job_that_never_ran_has_no_start(sample: Sample) -> None:
    ends = read_accounting(as_asked(sample("sacct_ended_epoch.out"))).ends
    assert len(ends) == 9
    assert ends["16"].submitted_at == datetime(2026, 11, 21, 18, 3, 59, tzinfo=UTC)
    assert ends["16"].started_at == datetime(2026, 11, 21, 18, 4, 0, tzinfo=UTC)
    assert ends["16"].ended_at == datetime(2026, 11, 21, 18, 4, 3, tzinfo=UTC)
    assert ends["21"].started_at is None
    assert ends["21"].ended_at is not None


def test_an_end_of_which_accounting_has_only_a_part_is_not_there_yet(sample: Sample) -> None:
    records = read_accounting(as_asked(sample("sacct_after_end.out")))
    assert (records.ends, records.unfinished) == ({}, {"6"})
    assert read_accounting(as_asked(sample("sacct_in_the_end.out"))).ends["6"].state == "COMPLETED"
    assert read_accounting(as_asked(sample("sacct_at_once.out"))).unfinished == set()


def test_a_final_state_without_an_end_is_not_all_that_will_be_written() -> None:
    """As accounting has it for a moment when it learns of start and end at once."""
    header = ACCOUNTING_FORMAT.replace(",", "|")
    job = "2|FAILED|0:0|n1|512000K||0|5|1795287233|1795287233|Unknown|00:00:00|1|short|x"
    assert read_accounting(f"{header}\n{job}\n").unfinished == {"2"}


def test_a_requeued_job_has_not_ended(sample: Sample) -> None:
    assert read_accounting(as_asked(sample("sacct_requeued.out"))).unfinished == {"26"}


def accounted(
    *, requested: str = "1024000K", peak: str = "2048000K", exit_code: str = "0:9", step: str
) -> JobEnd:
    header = ACCOUNTING_FORMAT.replace(",", "|")
    job = f"1|FAILED|{exit_code}|n1|{requested}||5|60|1|2|7|00:01.000|4|short|x"
    return only_end(f"{header}\n{job}\n1.batch|{step}|{exit_code}|n1||{peak}|5||2|2|7|00:01.000|4||batch\n")


def test_a_killed_job_is_out_of_memory_only_if_more_was_seen_in_use_than_it_had() -> None:
    assert accounted(step="CANCELLED by 5").cause is JobCause.OUT_OF_MEMORY
    assert accounted(step="OUT_OF_MEMORY", peak="1K").cause is JobCause.OUT_OF_MEMORY
    assert accounted(step="CANCELLED", peak="1000K").cause is JobCause.FAILED
    assert accounted(step="CANCELLED", peak="").cause is JobCause.FAILED
    assert accounted(step="FAILED").cause is JobCause.FAILED
    assert accounted(step="CANCELLED", exit_code="0:11").cause is JobCause.FAILED


@pytest.mark.parametrize(
    ("requested", "mb"),
    [
        ("954M", 1000),
        ("1000Mn", 1049),
        ("250Mc", 1049),
        ("1.50G", 1611),
        ("976563K", 1000),
        ("16?", None),
        ("0", None),
    ],
)
def test_memory_is_read_as_older_and_newer_slurms_write_it(requested: str, mb: int | None) -> None:
    assert accounted(requested=requested, step="COMPLETED").requested_memory_mb == mb


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("completed", JobCause.COMPLETED),
        ("failed", JobCause.FAILED),
        ("signalled", JobCause.FAILED),
        ("out_of_memory", JobCause.OUT_OF_MEMORY),
        ("cancelled_running", JobCause.CANCELLED),
        ("cancelled_pending", JobCause.CANCELLED),
        ("timed_out", JobCause.TIMEOUT),
        ("node_failed", JobCause.NODE_FAIL),
        ("preempted", JobCause.PREEMPTED),
        ("without_accounting", JobCause.FAILED),
    ],
)
def test_the_controller_tells_ends_without_memory_in_use(sample: Sample, name: str, cause: JobCause) -> None:
    [end] = read_shown(sample(f"scontrol_show_job_{name}.out")).ends.values()
    assert end.cause is cause
    assert end.peak_memory_mb is None
    assert end.cancelled_by is None
    assert end.requested_memory_mb is not None


def test_the_controller_tells_what_a_job_had(sample: Sample) -> None:
    end = read_shown(sample("scontrol_show_job_timed_out.out")).ends["22"]
    assert (end.elapsed_seconds, end.time_limit_seconds, end.requested_memory_mb) == (20, 60, 524)
    assert (end.node, end.cpus, end.signal) == ("n2", 1, 15)


def test_newer_controllers_tell_memory_under_another_name(sample: Sample) -> None:
    older = sample("scontrol_show_job_completed.out")
    newer = older.replace("TRES=cpu", "ReqTRES=cpu=9,mem=9M AllocTRES=cpu")
    assert newer != older
    assert read_shown(newer) == read_shown(older)


@pytest.mark.parametrize("name", ["pending", "running"])
def test_a_job_that_goes_on_has_no_end(sample: Sample, name: str) -> None:
    records = read_shown(sample(f"scontrol_show_job_{name}.out"))
    assert not records.ends
    assert len(records.unfinished) == 1


@pytest.mark.parametrize("text", ["", "slurm is fine\n", "JobId=7 JobName=x\n"])
def test_anything_else_than_a_job_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        read_shown(text)

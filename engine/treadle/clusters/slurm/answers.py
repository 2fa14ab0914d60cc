"""What squeue, sacct and scontrol answer, read: pure functions from their text to values.

Squeue and sacct are asked for their header: it tells an answer from silence, and where a banner before it
ends. Times are asked for as seconds since 1970, so that nobody's time zone matters.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from treadle.clusters.slurm.verdict import FINAL_STATES, JobCause, JobEnd
from treadle.model.slurm_time import limit_seconds

QUEUE_FORMAT = "%A|%T|%r|%N|%S|%e|%j"
ACCOUNTING_FORMAT = (
    "JobIDRaw,State,ExitCode,NodeList,ReqMem,MaxRSS,ElapsedRaw,TimelimitRaw,Submit,Start,End,TotalCPU,AllocCPUS,"
    "Partition,JobName"
)

_QUEUE_HEADER = "JOBID|STATE|"
_ACCOUNTING_HEADER = "JobIDRaw|State|"
_ABSENT = frozenset({"", "(null)", "N/A", "NONE", "None", "None assigned", "Unknown"})
_STEP = re.compile(r"\d+(\.\S+)?")
_STATE = re.compile(r"([A-Z][A-Z_]*)\+?( by (\d+))?")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)([KMGTP]?)([nc]?)")
_KIB_PER_SUFFIX = {"K": 1, "M": 1024, "": 1024, "G": 1024**2, "T": 1024**3, "P": 1024**4}
_CPU_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_SHOWN = re.compile(r"(?:^| )([A-Z][\w/:]*)=(.*?)(?= [A-Z][\w/:]*=|\s*$)")
_SHOWN_MEMORY = re.compile(r"\bmem=([^,]+)")


class Garbled(ValueError):
    """The text is no answer of that command."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A job as squeue has it, which is also for some minutes after its end.

    Attributes:
        job_id: SLURM's number of the job.
        name: Its name.
        state: SLURM's word.
        reason: SLURM's word for why it waits, or for how it ended; empty if there is none.
        node: Where it runs, as SLURM writes it; empty if it does not.
        start_time: When it started, or will by SLURM's estimate; in UTC.
        end_time: When it ended, or will at the latest; in UTC.
    """

    job_id: str
    name: str
    state: str
    reason: str
    node: str
    start_time: datetime | None
    end_time: datetime | None

    @property
    def is_final(self) -> bool:
        """Whether the job has ended."""
        return self.state in FINAL_STATES


@dataclass(frozen=True, slots=True)
class Records:
    """What accounting, or the controller, knows of some jobs.

    Attributes:
        ends: The jobs that have ended, by id.
        unfinished: Ids of those that have not, or of whose end only a part has been written yet.
    """

    ends: dict[str, JobEnd] = field(default_factory=dict)
    unfinished: frozenset[str] = frozenset()

    def __or__(self, other: Records) -> Records:
        return Records(self.ends | other.ends, self.unfinished | other.unfinished)


def read_queue(text: str) -> dict[str, QueueEntry]:
    """Read what `squeue --format=QUEUE_FORMAT` printed.

    Raises:
        Garbled: It is no such answer.
    """
    return {row[0]: _queue_entry(row) for row in _rows(text, _QUEUE_HEADER, QUEUE_FORMAT.count("|") + 1)}


def read_accounting(text: str) -> Records:
    """Read what `sacct --parsable2 --units=K --format=ACCOUNTING_FORMAT` printed of jobs and their steps.

    Raises:
        Garbled: It is no such answer.
    """
    names = ACCOUNTING_FORMAT.split(",")
    jobs: dict[str, dict[str, str]] = {}
    steps = defaultdict(list)
    for row in _rows(text, _ACCOUNTING_HEADER, len(names)):
        line = dict(zip(names, row, strict=True))
        job_id, _, step = line["JobIDRaw"].partition(".")
        if step:
            steps[job_id].append(line)
        else:
            jobs[job_id] = line
    ends = {job_id: _accounted(job, steps[job_id]) for job_id, job in jobs.items() if _is_whole(job)}
    return Records(ends, frozenset(jobs.keys() - ends.keys()))


def read_shown(text: str) -> Records:
    """Read what `scontrol show job --oneliner` printed of one job.

    Raises:
        Garbled: It is no such answer.
    """
    found = Records()
    for line in text.splitlines():
        if line.startswith("JobId="):
            found |= _shown(dict(reversed(_SHOWN.findall(line))))
    if not (found.ends or found.unfinished):
        raise Garbled(text)
    return found


def _rows(text: str, header: str, width: int) -> list[list[str]]:
    lines = text.splitlines()
    begin = next((number for number, line in enumerate(lines, 1) if line.startswith(header)), None)
    if begin is None:
        raise Garbled(text)
    rows = [line.split("|", width - 1) for line in lines[begin:]]
    if any(len(row) != width or not _STEP.fullmatch(row[0]) or not _STATE.fullmatch(row[1]) for row in rows):
        raise Garbled(text)
    return rows


def _queue_entry(row: Sequence[str]) -> QueueEntry:
    job_id, state, reason, node, start, end, name = row
    return QueueEntry(job_id, name, state, _present(reason), _present(node), _moment(start), _moment(end))


def _is_whole(job: dict[str, str]) -> bool:
    """Whether a job has ended and all of that is written; for some seconds only a part of it is."""
    return _state(job["State"]) in FINAL_STATES and bool(job["Partition"] and _present(job["End"]))


def _accounted(job: dict[str, str], steps: Sequence[dict[str, str]]) -> JobEnd:
    state = _state(job["State"])
    exit_code, signal = _exit(job["ExitCode"])
    cpus = int(job["AllocCPUS"]) if job["AllocCPUS"].isdigit() else None
    requested = _memory_mb(job["ReqMem"], cpus)
    peak = max((mb for step in steps if (mb := _memory_mb(step["MaxRSS"])) is not None), default=None)
    cause = FINAL_STATES[state]
    if cause is JobCause.FAILED and _memory_killed(
        signal, requested, peak, [_state(s["State"]) for s in steps]
    ):
        cause = JobCause.OUT_OF_MEMORY
    node = _present(job["NodeList"])
    by = _STATE.fullmatch(job["State"])
    return JobEnd(
        job_id=job["JobIDRaw"],
        state=state,
        cause=cause,
        node=node,
        exit_code=exit_code,
        signal=signal,
        elapsed_seconds=_whole(job["ElapsedRaw"]),
        requested_memory_mb=requested,
        peak_memory_mb=peak,
        time_limit_seconds=_minutes(job["TimelimitRaw"]),
        cancelled_by=by[3] if by else None,
        submitted_at=_moment(job["Submit"]),
        started_at=_moment(job["Start"]) if node else None,
        ended_at=_moment(job["End"]),
        cpus=cpus,
        cpu_seconds=_cpu_seconds(job["TotalCPU"]),
    )


def _memory_killed(signal: int | None, requested: int | None, peak: int | None, steps: Sequence[str]) -> bool:
    """Whether a failed job was killed for its memory: by its cgroup, or by SLURM when it saw too much."""
    if "OUT_OF_MEMORY" in steps:
        return True
    if signal != 9 or "CANCELLED" not in steps or requested is None or peak is None:
        return False
    return peak > requested


def _shown(job: dict[str, str]) -> Records:
    if not {"JobId", "JobState", "ExitCode"} <= job.keys():
        raise Garbled(str(job))
    job_id, state = job["JobId"], job["JobState"]
    if state not in FINAL_STATES:
        return Records(unfinished=frozenset({job_id}))
    exit_code, signal = _exit(job["ExitCode"])
    node = _present(job.get("NodeList", ""))
    memory = _SHOWN_MEMORY.search(job.get("AllocTRES", "")) or _SHOWN_MEMORY.search(
        job.get("ReqTRES", job.get("TRES", ""))
    )
    end = JobEnd(
        job_id=job_id,
        state=state,
        cause=FINAL_STATES[state],
        node=node,
        exit_code=exit_code,
        signal=signal,
        elapsed_seconds=_duration(job.get("RunTime", "")) or 0,
        requested_memory_mb=_memory_mb(memory[1]) if memory else None,
        time_limit_seconds=_duration(job.get("TimeLimit", "")),
        submitted_at=_moment(job.get("SubmitTime", "")),
        started_at=_moment(job.get("StartTime", "")) if node else None,
        ended_at=_moment(job.get("EndTime", "")),
        cpus=_whole(job.get("NumCPUs", "")),
    )
    return Records({job_id: end})


def _state(text: str) -> str:
    return text.split(" ", 1)[0].rstrip("+")


def _exit(text: str) -> tuple[int | None, int | None]:
    code, _, number = text.partition(":")
    return _whole(code), _whole(number)


def _present(text: str) -> str:
    return "" if text in _ABSENT else text


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _moment(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text.isdigit() else None


def _minutes(text: str) -> int | None:
    return int(text) * 60 if text.isdigit() else None


def _duration(text: str) -> int | None:
    try:
        return limit_seconds(text)
    except ValueError:
        return None


def _memory_mb(text: str, cpus: int | None = None) -> int | None:
    """Return MB of 1000 * 1000 bytes; SLURM's own are of 1024 * 1024, and `c` in older ones is per cpu."""
    match = _MEMORY.fullmatch(text)
    if match is None or (match[3] == "c" and cpus is None):
        return None
    kib = float(match[1]) * _KIB_PER_SUFFIX[match[2]] * (cpus or 1 if match[3] == "c" else 1)
    return round(kib * 1024 / 1_000_000) or None


def _cpu_seconds(text: str) -> float | None:
    match = _CPU_TIME.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (float(number or 0) for number in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

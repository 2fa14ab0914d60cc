"""Why a job ended, and what to change: in values for programs, in sentences for people."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobCause(StrEnum):
    """Why a job ended; `unknown` is a job of which SLURM has no record any more."""

    COMPLETED = "completed"
    FAILED = "failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    NODE_FAIL = "node_fail"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    BOOT_FAIL = "boot_fail"
    DEADLINE = "deadline"
    UNKNOWN = "unknown"


FINAL_STATES: dict[str, JobCause] = {
    "BOOT_FAIL": JobCause.BOOT_FAIL,
    "CANCELLED": JobCause.CANCELLED,
    "COMPLETED": JobCause.COMPLETED,
    "DEADLINE": JobCause.DEADLINE,
    "FAILED": JobCause.FAILED,
    "NODE_FAIL": JobCause.NODE_FAIL,
    "OUT_OF_MEMORY": JobCause.OUT_OF_MEMORY,
    "PREEMPTED": JobCause.PREEMPTED,
    "REVOKED": JobCause.CANCELLED,
    "TIMEOUT": JobCause.TIMEOUT,
}
"""SLURM's words for the states that no job leaves, as its manual of `squeue` lists them."""

GONE = "GONE"
"""Stands for SLURM's word where it has none: the state of a job that it does not know any more."""

MORE_MEMORY = "Ask for more: meta mem of the task, --memory, or the site's profile."


@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended. What SLURM does not tell is None.

    Attributes:
        job_id: SLURM's number of the job.
        state: SLURM's word for its end.
        cause: What that came of.
        node: Where it ran, as SLURM writes it; empty if it never did.
        exit_code: Exit status of its script.
        signal: Number of the signal that killed it; 0 if none did.
        elapsed_seconds: From start to end.
        requested_memory_mb: In MB of 1000 * 1000 bytes, as `peak_memory_mb`.
        peak_memory_mb: The most memory SLURM saw in use; it looks only now and then.
        time_limit_seconds: How long it was allowed to run.
        cancelled_by: Name of the user who cancelled it.
        submitted_at: In UTC, as the next two.
        started_at: None also if it never ran.
        ended_at: When it ended.
        cpus: How many it had.
        cpu_seconds: Time its processes kept cpus busy.
    """

    job_id: str
    state: str
    cause: JobCause
    node: str = ""
    exit_code: int | None = None
    signal: int | None = None
    elapsed_seconds: int | None = None
    requested_memory_mb: int | None = None
    peak_memory_mb: int | None = None
    time_limit_seconds: int | None = None
    cancelled_by: str | None = None
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cpus: int | None = None
    cpu_seconds: float | None = None

    @property
    def explanation(self) -> str:
        """What happened, in a sentence for people."""
        return f"{self._job} {_HAPPENED[self.cause](self)}."

    @property
    def remedy(self) -> str:
        """What to change, in a sentence for people; empty where there is nothing to change."""
        return _REMEDIES[self.cause].format(node=self.node or "the node")

    @property
    def _job(self) -> str:
        return f"SLURM job {self.job_id}" + (f" on {self.node}" if self.node else "")

    @property
    def _ran(self) -> str:
        if not self.node:
            return "before it started"
        if self.elapsed_seconds is None:
            return "after a time that SLURM does not tell"
        return f"after {clock(self.elapsed_seconds)}"


def gone(job_id: str) -> JobEnd:
    """Return the end of a job of which SLURM has no record any more."""
    return JobEnd(job_id, GONE, JobCause.UNKNOWN)


def clock(seconds: int) -> str:
    """Return a duration as SLURM writes it: HH:MM:SS, with days before it where there are any."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return f"{f'{days}-' if days else ''}{hour:02}:{minute:02}:{second:02}"


def _failed(end: JobEnd) -> str:
    if end.signal:
        return f"was killed by {_signal_name(end.signal)} {end._ran}"
    if end.exit_code is None:
        return f"failed {end._ran}; SLURM does not tell its exit status"
    return f"failed with exit status {end.exit_code} {end._ran}"


def _out_of_memory(end: JobEnd) -> str:
    had, used = end.requested_memory_mb, end.peak_memory_mb
    requested = "SLURM does not tell how much it had" if had is None else f"it had {had} MB"
    if used is None:
        return f"was killed for memory: {requested}; how much it used is not known"
    if had is not None and used < had:
        return f"was killed for memory: {requested}; SLURM looks only now and then, and saw {used} MB in use"
    return f"was killed for memory: {requested} and used {used} MB"


def _timeout(end: JobEnd) -> str:
    limit, ran = end.time_limit_seconds, end.elapsed_seconds
    had = "SLURM does not tell how much it had" if limit is None else f"it had {clock(limit)}"
    return f"reached its time limit: {had}" + ("" if ran is None else f" and ran {clock(ran)}")


def _cancelled(end: JobEnd) -> str:
    whom = f"by {end.cancelled_by}" if end.cancelled_by else "by somebody whom SLURM does not name"
    return f"was cancelled {whom} {end._ran}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


_HAPPENED: dict[JobCause, Callable[[JobEnd], str]] = {
    JobCause.COMPLETED: lambda end: f"completed {end._ran}",
    JobCause.FAILED: _failed,
    JobCause.OUT_OF_MEMORY: _out_of_memory,
    JobCause.TIMEOUT: _timeout,
    JobCause.NODE_FAIL: lambda end: f"ended {end._ran} because its node failed",
    JobCause.PREEMPTED: lambda end: f"was preempted {end._ran}: a job of higher priority took its place",
    JobCause.CANCELLED: _cancelled,
    JobCause.BOOT_FAIL: lambda _: "did not start: its node did not boot",
    JobCause.DEADLINE: lambda end: f"was ended {end._ran}: its deadline had come",
    JobCause.UNKNOWN: lambda _: "has ended, and SLURM has no record of how",
}
_REMEDIES = {
    JobCause.COMPLETED: "",
    JobCause.FAILED: "What it printed says why.",
    JobCause.OUT_OF_MEMORY: MORE_MEMORY,
    JobCause.TIMEOUT: "Ask for more time: meta time of the task, --time, or the site's profile.",
    JobCause.NODE_FAIL: "Nothing is wrong with the job. If {node} fails again, exclude it in the profile.",
    JobCause.PREEMPTED: "Nothing is wrong with the job. Another partition or QOS may not be preempted.",
    JobCause.CANCELLED: "Ask whoever cancelled it.",
    JobCause.BOOT_FAIL: "Tell the site's administrators. Until then, exclude {node} in the site's profile.",
    JobCause.DEADLINE: "Set a later deadline, or none, in the site's profile.",
    JobCause.UNKNOWN: "The site's administrators may find it in the log of slurmctld.",
}

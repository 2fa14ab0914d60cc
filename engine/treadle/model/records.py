"""What is known of a unit once it has ended; the worker writes it, the ledger keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pydantic import JsonValue

from treadle.model.states import Cause, UnitState


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """The end of one unit.

    Attributes:
        index: Place of the unit in its step.
        state: How it ended.
        cause: Why it is not done; None for a unit that is.
        error: What went wrong, for people to read.
        output: The validated output as JSON; None where there is none.
        exit_code: Exit status of its process; negative for a signal.
        seconds: Wall time.
        cpu_seconds: User and system time of its processes.
        peak_memory_bytes: Largest resident memory of its processes.
        host: Name of the machine.
        worker: Name of the worker.
        started_at: When it began, aware and in UTC.
        log_file: File that holds its output streams, beside those of other units.
        log_offset: Where its part of the log begins, in bytes.
        log_length: How long its part is, in bytes.
        attempt: How often it has been tried, this time included.
        cached: It did not run, but was reused from an earlier run.
        left: Fingerprints, as JSON, of what it worked on or made, by URL; the ledger does not keep them.
    """

    index: int
    state: UnitState
    cause: Cause | None
    error: str | None
    output: JsonValue
    exit_code: int | None
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    host: str
    worker: str
    started_at: datetime
    log_file: str | None
    log_offset: int
    log_length: int
    attempt: int = 1
    cached: bool = False
    left: Mapping[str, JsonValue] | None = None

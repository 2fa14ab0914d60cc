"""Records of units, from how their process ended and what it left behind."""

from __future__ import annotations

import json
import signal
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from treadle.errors import OutputInvalid
from treadle.execute.logs import LogPart, read_log
from treadle.execute.worker import host_name
from treadle.model.outputs import parse_init_output, parse_unit_output
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState

LONGEST_LOG = 100_000
TAIL_LINES = 40
TAIL_CHARACTERS = 8_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a unit is done, else why not."""

    state: UnitState
    cause: Cause | None = None
    error: str | None = None
    output: JsonValue = None


DONE = Verdict(UnitState.DONE)


def failed(cause: Cause, error: str) -> Verdict:
    """Return the verdict on a unit that is not done."""
    return Verdict(UnitState.CANCELLED if cause is Cause.CANCELLED else UnitState.FAILED, cause, error)


def ended_without_result(
    index: int, cause: Cause, error: str, *, worker: str = "", attempt: int = 1
) -> UnitRecord:
    """Return the record of a unit of which no process ended under our eyes.

    Args:
        index: Place of the unit in its step.
        cause: Why it is not done.
        error: The same, for people.
        worker: Name of the worker, where one had it.
        attempt: How often it has been tried, this time included.
    """
    verdict = failed(cause, error)
    return UnitRecord(
        index=index,
        state=verdict.state,
        cause=cause,
        error=error,
        output=None,
        exit_code=None,
        seconds=0.0,
        cpu_seconds=0.0,
        peak_memory_bytes=0,
        host=host_name() if worker else "",
        worker=worker,
        started_at=datetime.now(UTC),
        log_file=None,
        log_offset=0,
        log_length=0,
        attempt=attempt,
    )


def judge(exit_code: int, out_file: Path, log: LogPart, *, is_init: bool) -> Verdict:
    """Decide whether a unit is done: by its exit status, then by what it returned.

    Args:
        exit_code: Status of its process; negative for a signal.
        out_file: Where it was to write its output; none, or `null`, is success without updates.
        log: What it printed; its last lines are in the error text.
        is_init: It is the init call of a compound task.

    Raises:
        OSError: The out file or the log is there and cannot be read.
    """
    if exit_code != 0:
        return failed(Cause.FAILED, f"{status_text(exit_code)}\n{log_tail(log)}".rstrip())
    try:
        return judge_output(_read_output(out_file), is_init=is_init)
    except OutputInvalid as error:
        return failed(Cause.INVALID_OUTPUT, error.what)


def judge_output(value: JsonValue, *, is_init: bool) -> Verdict:
    """Decide whether what a unit returned is what a unit returns."""
    if value is None:
        return DONE
    try:
        (parse_init_output if is_init else parse_unit_output)(value)
    except OutputInvalid as error:
        return failed(Cause.INVALID_OUTPUT, error.what)
    return Verdict(UnitState.DONE, output=value)


def status_text(exit_code: int) -> str:
    """Return an exit status in words."""
    if exit_code >= 0:
        return f"Exit status {exit_code}."
    try:
        return f"Killed by signal {-exit_code} ({signal.Signals(-exit_code).name})."
    except ValueError:
        return f"Killed by signal {-exit_code}."


def log_tail(log: LogPart) -> str:
    """Return the last lines of what a unit printed, below a placeholder if it printed very much.

    Raises:
        OSError: The log cannot be read.
    """
    size = log.length
    if size == 0:
        return ""
    kept = min(size, 4 * TAIL_CHARACTERS)
    tail = last_lines(read_log(log.file, log.offset + size - kept, kept))
    if size > LONGEST_LOG:
        return f"[The log of {size} bytes is too long to repeat here. Its last lines:]\n{tail}"
    return tail


def last_lines(text: str) -> str:
    """Return the end of a long text."""
    return "\n".join(text[-TAIL_CHARACTERS:].splitlines()[-TAIL_LINES:])


def _read_output(out_file: Path) -> JsonValue:
    try:
        mode = out_file.lstat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OutputInvalid("What the unit left in place of its out file is not a file.")
    try:
        value: JsonValue = json.loads(out_file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OutputInvalid(f"The unit's out file is not JSON: {error}.") from error
    return value

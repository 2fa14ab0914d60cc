"""Batches: units that travel to a worker together and run one after another."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from treadle.errors import CommandInvalid, LeaseLost, WorkerLost
from treadle.execute.environment import unit_environment
from treadle.execute.functions import FunctionUnits, is_as_in_its_files
from treadle.execute.invocation import check_command
from treadle.execute.journal import Journal, open_journal
from treadle.execute.keepers import Ended, Order
from treadle.execute.left_behind import left_behind, made_by
from treadle.execute.logs import LogPart, LogStore
from treadle.execute.pool import Variables
from treadle.execute.process import ProcessUnit
from treadle.execute.records import Verdict, ended_without_result, failed, judge, log_tail
from treadle.execute.running import RunningBatch, running_batch
from treadle.execute.worker import host_name, place, seconds_left, worker_name
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState

BYTES_PER_MB = 1_000_000
UNFINISHED = frozenset({Cause.CANCELLED, Cause.WORKER_LOST})
END_SECONDS = 2.0
ENDED_FROM_OUTSIDE = frozenset(
    code for number in (signal.SIGTERM, signal.SIGKILL) for code in (-number, 128 + number)
)


@dataclass(frozen=True, slots=True)
class UnitCall:
    """One unit as a worker needs to know it.

    Attributes:
        index: Place of the unit in its step.
        command: The task's program and its first words, without the two file options; empty for a function.
        args: What goes into the args file, or the function's keyword arguments.
        is_init: It is the init call of a compound task.
        cpus: How many threads its libraries may use.
        memory_mb: What all its processes together may use, in MB of 1000 * 1000 bytes; it is stopped beyond.
        attempt: How often it has been tried, this time included.
        timeout_seconds: What it may take; it is stopped beyond.
        function: `module:qualname` of a function that runs in the worker's own process instead of a command.
            Neither limit holds for it, and once begun it cannot be cancelled.
        fresh: It must be a fresh process, never a fork of a warm interpreter.
        watched: Items whose fingerprints its record is to have once it is done, with those of what it made;
            None where nobody asks for them.
        by_content: Whether files count there by what is in them.
    """

    index: int
    command: tuple[str, ...] = ()
    args: dict[str, JsonValue] = field(default_factory=dict)
    is_init: bool = False
    cpus: int = 1
    memory_mb: int | None = None
    attempt: int = 1
    timeout_seconds: float | None = None
    function: str | None = None
    fresh: bool = False
    watched: tuple[str, ...] | None = None
    by_content: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Units of one step that travel together.

    Attributes:
        run_id: The run.
        position: The step's place in the plan.
        step: Name of the step, fit for a file name.
        calls: The units.
        log_folder: Existing folder of the run's log stores.
        environment: Variables the units get beside the worker's own.
        driver: Name of the driver that sent them; none is begun once another has taken the run over.
        seconds: How long one of them takes, as far as is known.
    """

    run_id: int
    position: int
    step: str
    calls: tuple[UnitCall, ...]
    log_folder: str
    environment: dict[str, str]
    driver: str = ""
    seconds: float = 0.0


def run_batch(batch: Batch) -> list[UnitRecord]:
    """Run units one after another; may be called from several threads.

    This worker's journal has each unit as soon as it ended; without a journal none is run. Only a unit that
    was cancelled, or lost with the processes that run units, is not in it: it has not come to its end.

    Returns:
        One record a unit, in order; none for units at the end that this worker has no time left for. What
        goes wrong with a unit, a full disk included, is in its record.
    """
    try:
        with (
            open_journal(Path(batch.log_folder), worker_name(), batch.driver) as journal,
            running_batch(batch.run_id, batch.position) as running,
        ):
            return _BatchRun(batch, journal, running).records()
    except LeaseLost as error:
        return [_without_result(call, Cause.CANCELLED, str(error)) for call in batch.calls]
    except OSError as error:
        text = f"The worker could not open its journal: {_in_words(error)}."
        return [_without_result(call, Cause.FAILED, text) for call in batch.calls]


class _BatchRun:
    """What the units of one batch share."""

    def __init__(self, batch: Batch, journal: Journal, running: RunningBatch) -> None:
        self._batch = batch
        self._journal = journal
        self._running = running
        self._store = LogStore(Path(batch.log_folder), batch.step, f"{worker_name()}-{running.slot}")
        self._variables: dict[int, Variables] = {}
        self._functions = FunctionUnits(host_name(), worker_name())
        self._as_in_files: dict[str, bool] = {}

    def records(self) -> list[UnitRecord]:
        try:
            records = [self._journaled(call) for call in self._batch.calls[:1]]
            for call in self._batch.calls[1:]:
                if self._batch.seconds > seconds_left():
                    break
                records.append(self._journaled(call))
            return records
        finally:
            self._store.close()

    def _journaled(self, call: UnitCall) -> UnitRecord:
        if self._running.is_cancelled(call.index):
            return _without_result(call, Cause.CANCELLED, "cancelled before it began")
        if call.function is None:
            record = self._run_process(call)
        else:
            record = self._functions.run(
                call.index, call.function, call.args, is_init=call.is_init, attempt=call.attempt
            )
        if place() and _may_be_the_end(record):
            time.sleep(END_SECONDS)  # this process may not live to say that the unit failed, which it did not
        if record.state is UnitState.DONE:
            record = replace(record, left=self._left_by(call, record))
        if record.cause not in UNFINISHED:
            self._journal.append(self._batch.position, record)
        return record

    def _left_by(self, call: UnitCall, record: UnitRecord) -> dict[str, JsonValue] | None:
        """Return what a unit left, if somebody wants to know; None if its code is another than in its files.

        Once for all units of a function: what changes after the batch was sent, who sent it sees.
        """
        if call.watched is None:
            return None
        if call.function is not None:
            if call.function not in self._as_in_files:
                self._as_in_files[call.function] = is_as_in_its_files(call.function)
            if not self._as_in_files[call.function]:
                return None
        made = made_by(record.output, is_init=call.is_init)
        return left_behind([*call.watched, *made], by_content=call.by_content)

    def _run_process(self, call: UnitCall) -> UnitRecord:
        try:
            check_command(call.command)
            return self._process(call).run(_Taking(call), warm=not call.fresh)
        except CommandInvalid as error:
            cause, text = Cause.COMMAND_INVALID, str(error)
        except WorkerLost as error:
            cause, text = Cause.WORKER_LOST, str(error)
        except OSError as error:
            cause, text = Cause.FAILED, f"The worker could not run the unit: {_in_words(error)}."
        return _without_result(call, cause, text)

    def _process(self, call: UnitCall) -> ProcessUnit:
        order = Order(
            words=call.command,
            args=json.dumps(call.args),
            log=self._store.file,
            timeout_seconds=call.timeout_seconds,
            memory_bytes=None if call.memory_mb is None else call.memory_mb * BYTES_PER_MB,
        )
        if call.cpus not in self._variables:
            mapping = unit_environment(os.environ, self._batch.environment, call.cpus)
            self._variables[call.cpus] = Variables(mapping, frozenset(mapping.items()))
        return ProcessUnit(
            call.index,
            call.attempt,
            order=order,
            variables=self._variables[call.cpus],
            batch=self._running,
            store=self._store,
        )


class _Taking:
    """Makes the record of a unit that starts now, from how it ended."""

    def __init__(self, call: UnitCall) -> None:
        self._call = call
        self._started_at = datetime.now(UTC)

    def __call__(self, ended: Ended, log: LogPart) -> UnitRecord:
        verdict = self._verdict(ended, log)
        return UnitRecord(
            index=self._call.index,
            state=verdict.state,
            cause=verdict.cause,
            error=verdict.error,
            output=verdict.output,
            exit_code=ended.exit_code,
            seconds=ended.seconds,
            cpu_seconds=ended.cpu_seconds,
            peak_memory_bytes=ended.peak_memory_bytes,
            host=host_name(),
            worker=worker_name(),
            started_at=self._started_at,
            log_file=str(log.file) if log.length else None,
            log_offset=log.offset if log.length else 0,
            log_length=log.length,
            attempt=self._call.attempt,
        )

    def _verdict(self, ended: Ended, log: LogPart) -> Verdict:
        try:
            if ended.cause is not None:
                return failed(ended.cause, f"{self._stop_text(ended)}\n{log_tail(log)}".rstrip())
            return judge(ended.exit_code, ended.out_file, log, is_init=self._call.is_init)
        except OSError as error:
            return failed(
                Cause.FAILED, f"The unit ended, but what it left cannot be read: {_in_words(error)}."
            )

    def _stop_text(self, ended: Ended) -> str:
        if ended.cause is Cause.TIMEOUT:
            return f"Stopped: it took longer than its limit of {self._call.timeout_seconds:g} s."
        if ended.cause is Cause.CANCELLED:
            return f"Cancelled after {ended.seconds:.1f} s."
        peak, limit = math.ceil(ended.peak_memory_bytes / BYTES_PER_MB), self._call.memory_mb
        if limit is not None and peak > limit:
            return f"Stopped: it used {peak} MB of memory, more than its limit of {limit} MB."
        limited = "no limit" if limit is None else f"a limit of {limit} MB"
        used = f"Killed by the system, whose memory was used up: it used up to {peak} MB and had {limited}."
        return f"{used} {place()}".rstrip()


def _may_be_the_end(record: UnitRecord) -> bool:
    """Whether a unit ended as if all processes of its worker's job were being ended, and it came first."""
    killed = record.cause is Cause.FAILED and record.exit_code in ENDED_FROM_OUTSIDE
    return killed or record.cause is Cause.WORKER_LOST


def _without_result(call: UnitCall, cause: Cause, text: str) -> UnitRecord:
    return ended_without_result(call.index, cause, text, worker=worker_name(), attempt=call.attempt)


def _in_words(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"

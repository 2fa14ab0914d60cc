"""Batches: units that travel to a worker together and run one after another."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from treadle.errors import CommandInvalid, WorkerLost
from treadle.execute.environment import unit_environment
from treadle.execute.invocation import check_command, find_executable, unit_words
from treadle.execute.journal import Journal, open_journal
from treadle.execute.launcher import Ended, Launch, shared_launcher
from treadle.execute.logs import append_log
from treadle.execute.records import ended_without_result, failed, judge, with_verdict
from treadle.execute.worker import host_name, worker_name
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState


@dataclass(frozen=True, slots=True)
class UnitCall:
    """One unit as a worker needs to know it.

    Attributes:
        index: Place of the unit in its step.
        command: The task's program and its first words, without the two file options.
        args: What goes into the args file.
        is_init: It is the init call of a compound task.
        cpus: How many threads its libraries may use.
        memory_mb: What it asked for; not enforced yet.
        attempt: How often it has been tried, this time included.
    """

    index: int
    command: tuple[str, ...]
    args: dict[str, JsonValue]
    is_init: bool = False
    cpus: int = 1
    memory_mb: int | None = None
    attempt: int = 1


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
    """

    run_id: int
    position: int
    step: str
    calls: tuple[UnitCall, ...]
    log_folder: str
    environment: dict[str, str]


def run_batch(batch: Batch) -> list[UnitRecord]:
    """Run units one after another, each in a fresh process; may be called from several threads.

    This worker's journal has each unit as soon as it ended; without a journal none is run.

    Returns:
        One record a unit, in order. What goes wrong with a unit, a full disk included, is in its record.
    """
    try:
        with open_journal(Path(batch.log_folder), worker_name()) as journal:
            return [_run_journaled(call, batch, journal) for call in batch.calls]
    except OSError as error:
        text = f"The worker could not open its journal: {_in_words(error)}."
        return [_without_result(call, Cause.FAILED, text) for call in batch.calls]


def _run_journaled(call: UnitCall, batch: Batch, journal: Journal) -> UnitRecord:
    record = _run_unit(call, batch)
    if record.cause is not Cause.WORKER_LOST:
        journal.append(batch.position, record)
    return record


def _run_unit(call: UnitCall, batch: Batch) -> UnitRecord:
    try:
        with _scratch_folder() as folder:
            return _run_in(folder, call, batch)
    except CommandInvalid as error:
        cause, text = Cause.COMMAND_INVALID, str(error)
    except WorkerLost as error:
        cause, text = Cause.WORKER_LOST, str(error)
    except OSError as error:
        cause, text = Cause.FAILED, f"The worker could not run the unit: {_in_words(error)}."
    return _without_result(call, cause, text)


def _without_result(call: UnitCall, cause: Cause, text: str) -> UnitRecord:
    return ended_without_result(call.index, cause, text, worker=worker_name(), attempt=call.attempt)


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(dir=shared_launcher().scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run_in(folder: Path, call: UnitCall, batch: Batch) -> UnitRecord:
    args_file, out_file, log = folder / "args.json", folder / "out.json", folder / "log"
    check_command(call.command)
    environment = unit_environment(os.environ, batch.environment, call.cpus)
    launch = Launch(
        file=find_executable(call.command[0], environment.get("PATH", os.defpath)),
        words=unit_words(call.command, args_file, out_file),
        environment=environment,
        folder=folder,
        log=log,
    )
    args_file.write_text(json.dumps(call.args))
    started_at = datetime.now(UTC)
    ended = shared_launcher().run(launch)
    record = _record(call, ended, started_at)
    try:
        record = with_verdict(record, judge(ended.exit_code, out_file, log, is_init=call.is_init))
        part = append_log(Path(batch.log_folder) / f"{batch.step}.{record.worker}.log", log)
    except OSError as error:
        text = f"The unit ended, but what it left could not be kept: {_in_words(error)}."
        return with_verdict(record, failed(Cause.FAILED, "\n".join(filter(None, (text, record.error)))))
    file = str(part.file) if part.file else None
    return replace(record, log_file=file, log_offset=part.offset, log_length=part.length)


def _record(call: UnitCall, ended: Ended, started_at: datetime) -> UnitRecord:
    return UnitRecord(
        index=call.index,
        state=UnitState.DONE,
        cause=None,
        error=None,
        output=None,
        exit_code=ended.exit_code,
        seconds=ended.seconds,
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
        host=host_name(),
        worker=worker_name(),
        started_at=started_at,
        log_file=None,
        log_offset=0,
        log_length=0,
        attempt=call.attempt,
    )


def _in_words(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"

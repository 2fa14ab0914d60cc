"""The journal: what was written is read back, whatever happened to the writer."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.execute.journal import (
    Journal,
    open_journal,
    read_journals,
    remove_journals,
    wait_until_closed,
)
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState
from treadle.testing.strategies import json_values

RECORD = UnitRecord(
    index=3,
    state=UnitState.FAILED,
    cause=Cause.OUT_OF_MEMORY,
    error="limit 5 MB\nand a lone \udc80",
    output=None,
    exit_code=-9,
    seconds=0.25,
    cpu_seconds=0.125,
    peak_memory_bytes=5_000_000,
    host="here",
    worker="local-1",
    started_at=datetime(2026, 11, 21, 8, 30, 1, 250, tzinfo=UTC),
    log_file="/logs/000-step.local-1.log",
    log_offset=7,
    log_length=11,
    attempt=2,
)
DONE = replace(RECORD, state=UnitState.DONE, cause=None, error=None, exit_code=0)


def write(folder: Path, *records: UnitRecord, worker: str = "local-1", position: int = 0) -> Path:
    with open_journal(folder, worker) as journal:
        for record in records:
            journal.append(position, record)
    return folder / f"journal-{worker}.jsonl"


def test_records_of_all_workers_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path, RECORD, DONE, position=1)
    write(tmp_path, DONE, worker="local-2", position=2)
    assert list(read_journals(tmp_path)) == [(1, RECORD), (1, DONE), (2, DONE)]


@given(output=json_values())
def test_outputs_keep_their_values_and_types(
    tmp_path_factory: pytest.TempPathFactory, output: object
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    write(folder, replace(DONE, output=output))
    [(_, record)] = read_journals(folder)
    assert repr(record.output) == repr(output)


@given(kept=st.integers(min_value=1))
def test_a_torn_line_costs_only_its_own_record(tmp_path_factory: pytest.TempPathFactory, kept: int) -> None:
    folder = tmp_path_factory.mktemp("logs")
    file = write(folder, RECORD, DONE)
    whole = file.read_bytes()
    first = len(whole.splitlines(keepends=True)[0] + whole.splitlines(keepends=True)[1]) - 1
    os.truncate(file, first + kept % (len(whole) - first))
    write(folder, replace(DONE, index=9))
    assert [record.index for _, record in read_journals(folder)] == [3, 9]


def test_a_full_disk_fails_no_unit(caplog: pytest.LogCaptureFixture) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        Journal(descriptor).append(0, DONE)
    finally:
        os.close(descriptor)
    assert "journal_not_written unit=3" in caplog.text


def test_others_see_whether_a_worker_may_still_write(tmp_path: Path) -> None:
    assert wait_until_closed(tmp_path, 0)
    with open_journal(tmp_path, "local-1"), open_journal(tmp_path, "local-1"):
        assert not wait_until_closed(tmp_path, 0)
    assert wait_until_closed(tmp_path, 0)


def test_threads_of_one_worker_mix_no_lines(tmp_path: Path) -> None:
    large = replace(DONE, output={"text": "x" * 100_000})

    def work(position: int) -> None:
        write(tmp_path, *([large] * 20), position=position)

    threads = [threading.Thread(target=work, args=(position,)) for position in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    positions = [position for position, record in read_journals(tmp_path) if record == large]
    assert sorted(positions) == sorted([0, 1, 2, 3] * 20)


def test_journals_can_be_removed(tmp_path: Path) -> None:
    write(tmp_path, DONE)
    other = tmp_path / "000-step.local-1.log"
    other.touch()
    remove_journals(tmp_path)
    assert list(tmp_path.iterdir()) == [other]

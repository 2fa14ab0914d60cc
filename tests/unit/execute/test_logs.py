"""The log store: each unit's output in one piece, found by record or by index, followed while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.execute.logs import IndexEntry, LogPiece, LogStore, LogTail, find_part, read_index, read_log

STEP = "000-step"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LogStore]:
    opened = LogStore(tmp_path, STEP, "local-1-1")
    yield opened
    opened.close()


def say(store: LogStore, data: str | bytes) -> None:
    """Do what a unit's process does."""
    with store.file.open("ab") as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


def test_parts_are_found_where_their_units_began(store: LogStore) -> None:
    parts = []
    for unit, text in enumerate(("first\n", "", "zweite, größer\n")):
        offset = store.begin(unit, 1)
        say(store, text)
        parts.append(store.part_from(offset))
    assert [read_log(part.file, part.offset, part.length) for part in parts] == [
        "first\n",
        "",
        "zweite, größer\n",
    ]
    assert list(read_index(store.file)) == [IndexEntry(0, 1, 0), IndexEntry(1, 1, 6), IndexEntry(2, 1, 6)]


def test_a_step_without_units_leaves_no_file_and_others_cannot_read_the_rest(
    store: LogStore, tmp_path: Path
) -> None:
    assert list(tmp_path.iterdir()) == []
    store.begin(0, 1)
    assert {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()} == {
        "000-step.local-1-1.log": 0o600,
        "000-step.local-1-1.index": 0o600,
    }


def test_bytes_that_are_no_text_are_replaced(store: LogStore) -> None:
    store.begin(0, 1)
    say(store, b"a\xffb")
    assert read_log(store.file, 0, 3) == "a\ufffdb"


def test_a_line_that_is_being_written_is_passed_over(store: LogStore) -> None:
    store.begin(7, 1)
    with store.file.with_suffix(".index").open("ab") as index:
        index.write(b"8 1 1")
    assert list(read_index(store.file)) == [IndexEntry(7, 1, 0)]


def test_a_running_units_part_is_that_of_its_latest_attempt(store: LogStore, tmp_path: Path) -> None:
    other = LogStore(tmp_path, STEP, "local-1-2")
    elsewhere = LogStore(tmp_path, "001-next", "local-1-1")
    for opened, attempt, text in (
        (other, 1, "once"),
        (store, 2, "forked"),
        (store, 2, "fresh"),
        (other, 1, ""),
    ):
        opened.begin(5 if text else 6, attempt)
        say(opened, text)
    elsewhere.begin(5, 9)
    part = find_part(tmp_path, STEP, 5)
    assert part is not None
    assert read_log(part.file, part.offset, part.length) == "fresh"
    say(store, " and more")
    part = find_part(tmp_path, STEP, 5)
    assert part is not None
    assert read_log(part.file, part.offset, part.length) == "fresh and more"
    assert find_part(tmp_path, STEP, 4) is None
    other.close()
    elsewhere.close()


def test_a_tail_labels_what_is_new(store: LogStore, tmp_path: Path) -> None:
    store.begin(0, 1)
    say(store, "old\n")
    tail = LogTail(tmp_path)
    assert tail.read() == []
    say(store, "of 0\n")
    store.begin(1, 1)
    store.begin(2, 3)
    say(store, "of 2\n")
    later = LogStore(tmp_path, "001-next", "local-1-1")
    later.begin(0, 1)
    say(later, "next\n")
    assert tail.read() == [
        LogPiece(STEP, 0, 1, "of 0\n"),
        LogPiece(STEP, 2, 3, "of 2\n"),
        LogPiece("001-next", 0, 1, "next\n"),
    ]
    assert tail.read() == []
    later.close()


def test_a_tail_from_the_start_has_everything_and_cuts_no_character(store: LogStore, tmp_path: Path) -> None:
    store.begin(0, 1)
    whole = "größer".encode()
    tail = LogTail(tmp_path, from_start=True)
    text = ""
    for cut in range(len(whole)):
        say(store, whole[cut : cut + 1])
        text += "".join(piece.text for piece in tail.read())
    assert text == "größer"


def test_a_tail_takes_a_long_text_in_parts(store: LogStore, tmp_path: Path) -> None:
    store.begin(0, 1)
    os.truncate(store.file, 2_500_000)
    tail = LogTail(tmp_path, from_start=True)
    lengths = [sum(len(piece.text) for piece in tail.read()) for _ in range(4)]
    assert sum(lengths) == 2_500_000
    assert lengths[-1] == 0

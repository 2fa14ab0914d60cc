"""The log store keeps every unit's output in one piece."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from treadle.execute.logs import append_log, read_log


def test_parts_are_appended_and_read_back(tmp_path: Path) -> None:
    store, output = tmp_path / "store.log", tmp_path / "output"
    parts = []
    for text in ("first\n", "zweite, größer\n", "third"):
        output.write_text(text)
        parts.append(append_log(store, output))
    assert [read_log(store, part.offset, part.length) for part in parts] == [
        "first\n",
        "zweite, größer\n",
        "third",
    ]
    assert store.stat().st_mode & 0o777 == 0o600


def test_a_unit_that_prints_nothing_leaves_no_file(tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert append_log(tmp_path / "store.log", output).file is None
    output.touch()
    assert append_log(tmp_path / "store.log", output).file is None
    assert not (tmp_path / "store.log").exists()


def test_threads_that_append_at_once_do_not_mix(tmp_path: Path) -> None:
    store = tmp_path / "store.log"
    texts = [f"{number:03d} " * 5000 for number in range(16)]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_text(text)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda number: append_log(store, tmp_path / str(number)), range(16)))
    assert [read_log(store, part.offset, part.length) for part in parts] == texts
    assert store.stat().st_size == sum(map(len, texts))


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "output").write_bytes(b"a\xffb")
    part = append_log(tmp_path / "store.log", tmp_path / "output")
    assert read_log(tmp_path / "store.log", part.offset, part.length) == "a\ufffdb"


def test_a_part_that_did_not_fit_on_the_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, output = tmp_path / "store.log", tmp_path / "output"
    output.write_text("first")
    append_log(store, output)
    write = os.write

    def write_half(descriptor: int, data: memoryview) -> int:
        if len(data) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", write_half)
    with pytest.raises(OSError, match="No space left"):
        append_log(store, output)
    assert store.read_text() == "first"

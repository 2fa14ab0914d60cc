"""A full disk: calls are made, what was kept is served, and once there is room calls are kept again."""

from __future__ import annotations

import logging
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from treadle.cache import Cache, cache, cached
from treadle.cache.storages.files import FileCalls, FileValues
from treadle.cache.storages.hdf import HdfValues
from treadle.cache.storages.sql.calls import SqlCalls

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(os.geteuid() != 0, reason="a disk of one's own needs root"),
]

DISK_BYTES = 4_000_000
RESULT_BYTES = 300_000
CALLS = 20


def in_files(disk: Path) -> Cache:
    return Cache(FileValues(disk), FileCalls(disk))


def in_a_database(disk: Path) -> Cache:
    return Cache(FileValues(disk), SqlCalls(disk / "calls.db"))


def in_hdf5(disk: Path) -> Cache:
    return Cache(HdfValues(disk), SqlCalls(disk / "calls.db"))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=700", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@pytest.mark.parametrize("opened", [in_files, in_a_database, in_hdf5])
def test_a_full_disk_costs_no_call(
    opened: Callable[[Path], Cache], disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []

    @cached(version=opened.__name__)
    def draw(seed: int) -> bytes:
        made.append(seed)
        return random.Random(seed).randbytes(RESULT_BYTES)  # noqa: S311 - no secrets

    filler = disk / "filler"
    with cache(opened(disk)), caplog.at_level(logging.WARNING, logger="treadle.cache"):
        draw(0)
        filler.write_bytes(b"x" * (DISK_BYTES // 4))
        expected = [draw.__wrapped__(seed) for seed in range(CALLS)]
        made.clear()

        assert [draw(seed) for seed in range(CALLS)] == expected
        kept = [seed for seed in range(CALLS) if draw.contains(seed)]
        assert 0 in kept
        assert len(kept) < CALLS
        assert made == list(range(1, CALLS))
        assert [draw(seed) for seed in kept] == [expected[seed] for seed in kept]
        assert made == list(range(1, CALLS))

        filler.unlink()
        again = next(seed for seed in range(CALLS) if seed not in kept)
        assert [draw(again), draw(again)] == [expected[again]] * 2
        assert made == [*range(1, CALLS), again]

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "No space left on device" in told[0] or "full" in told[0]

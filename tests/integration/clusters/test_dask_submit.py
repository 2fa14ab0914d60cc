"""Equal calls in flight on a Dask cluster are one task."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import Client, LocalCluster

import treadle
from treadle.cache import Cache, cache, cached
from treadle.cache.storages.files import FileCalls, FileValues

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def note(log: str, value: float) -> float:
    with Path(log).open("a") as file:
        file.write("x")
    return value * 2


@cached(ignore="log")
def note_once(log: str, value: float) -> float:
    return note(log, value)


def test_equal_calls_are_one_task(client: Client, tmp_path: Path) -> None:
    log = str(tmp_path / "log")
    futures = [treadle.dask_submit(client, note, log, 2.0) for _ in range(5)]
    other = treadle.dask_submit(client, note, log, 3.0)

    assert {future.key for future in futures} == {futures[0].key}
    assert [future.result() for future in [*futures, other]] == [4.0] * 5 + [6.0]
    assert Path(log).read_text() == "xx"


def test_a_value_of_another_type_is_another_call(client: Client, tmp_path: Path) -> None:
    log = str(tmp_path / "log")

    one, two = (treadle.dask_submit(client, note, log, value) for value in (2, 2.0))
    assert one.key != two.key
    assert (one.result(), two.result()) == (4, 4.0)


def test_a_cached_call_is_kept_in_the_cache_in_use(client: Client, tmp_path: Path) -> None:
    log = tmp_path / "log"
    place = tmp_path / "cache"  # one in memory would be another on the worker
    with cache(Cache(FileValues(place), FileCalls(place))):
        assert treadle.dask_submit(client, note_once, str(log), 2.0).result() == 4.0
        assert treadle.dask_submit(client, note_once, str(tmp_path / "other"), 2.0).result() == 4.0

    assert log.read_text() == "x"
    assert not (tmp_path / "other").exists()


def test_a_call_that_takes_a_future_is_submitted_all_the_same(client: Client, tmp_path: Path) -> None:
    first = treadle.dask_submit(client, note, str(tmp_path / "log"), 1.0)
    second = treadle.dask_submit(client, note, str(tmp_path / "log"), first)

    assert second.result() == 4.0

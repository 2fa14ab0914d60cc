"""Locks, results and keys of Prefect's task runs in the call cache, without a server."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.context import TaskRunContext
from prefect.locking.protocol import LockManager
from prefect.results import ResultRecordMetadata  # type: ignore[attr-defined]  # public, but not said to be
from prefect.serializers import JSONSerializer
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH, temporary_settings

import treadle
from treadle.authoring.task_cache.locks import LeaseLocks
from treadle.authoring.task_cache.policy import CallPolicy
from treadle.authoring.task_cache.results import CallResults
from treadle.cache import Cache, cache
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.storages.ports import Template
from treadle.errors import NotCached


@pytest.fixture(autouse=True)
def calls() -> Iterator[Cache]:
    used = Cache(MemoryValues(), MemoryCalls())
    with cache(used):
        yield used


def fit(data: list[float], order: int = 2) -> float:
    return sum(data) * order


def key(policy: CallPolicy, **inputs: object) -> str | None:
    context = cast("TaskRunContext", SimpleNamespace(task=SimpleNamespace(fn=fit, name="fit")))
    return policy.compute_key(context, inputs, {})


def test_keys_are_typed_and_repeatable() -> None:
    policy = treadle.treadle_policy()

    assert key(policy, data=[1.0], order=2) == key(policy, data=[1.0], order=2)
    assert key(policy, data=[1.0], order=2) != key(policy, data=[1], order=2)
    assert key(policy, data=[1.0], order=2) != key(policy, data=(1.0,), order=2)


def test_an_argument_can_be_taken_from_the_key() -> None:
    policy = treadle.treadle_policy()
    less = policy - "order"

    assert key(policy, data=[1.0], order=2) != key(policy, data=[1.0], order=3)
    assert key(cast("Any", less), data=[1.0], order=2) == key(cast("Any", less), data=[1.0], order=3)


def test_what_has_no_key_runs_uncached_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert key(treadle.treadle_policy(), data=iter([1.0])) is None
    assert "data" in caplog.text


def test_a_policy_survives_pickling() -> None:
    policy = treadle.treadle_policy("shared", ignore="order")
    again = pickle.loads(pickle.dumps(policy))  # noqa: S301 - our own

    assert again.ignore == ("order",)
    assert again.lock_manager == policy.lock_manager


def test_results_are_kept_as_they_were_written() -> None:
    results = CallResults()
    results.write_path("some/path", b"content" * 1000)

    assert results.read_path("some/path") == b"content" * 1000
    with pytest.raises(NotCached):
        results.read_path("another/path")


def test_a_result_is_put_back_where_prefect_looks_for_it(tmp_path: Path, calls: Cache) -> None:
    found = key(treadle.treadle_policy(), data=[1.0], order=2)
    assert found is not None
    metadata = {"serializer": JSONSerializer(), "storage_block_id": None}
    keys = CallResults(kind="key")
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "here"}):
        place = tmp_path / "here" / found
        place.parent.mkdir()
        place.write_bytes(b"the result")
        keys.write_path(found, ResultRecordMetadata(**metadata, storage_key=str(place)).dump_bytes())
        place.unlink()
    with temporary_settings({PREFECT_LOCAL_STORAGE_PATH: tmp_path / "elsewhere"}):
        read = ResultRecordMetadata.load_bytes(keys.read_path(found))

    assert read.storage_key == str(tmp_path / "elsewhere" / found)
    assert Path(read.storage_key).read_bytes() == b"the result"
    [kept] = calls.find(Template(name="fit"))
    assert [argument.name for argument in kept.record.arguments] == ["data", "order"]


def test_locks_are_what_prefect_asks_for() -> None:
    assert isinstance(LeaseLocks(), LockManager)


def test_one_holder_at_a_time_has_a_lock() -> None:
    locks = LeaseLocks()

    assert locks.acquire_lock("key", "one")
    assert locks.acquire_lock("key", "one")
    assert not locks.acquire_lock("key", "two", acquire_timeout=0.02)
    assert locks.is_locked("key")
    assert (locks.is_lock_holder("key", "one"), locks.is_lock_holder("key", "two")) == (True, False)
    with pytest.raises(ValueError, match="two"):
        locks.release_lock("key", "two")
    locks.release_lock("key", "one")
    assert not locks.is_locked("key")
    assert locks.wait_for_lock("key", timeout=1)


def test_who_waits_gets_a_lock_when_it_is_released() -> None:
    locks = LeaseLocks()
    locks.acquire_lock("key", "one")
    taken = threading.Event()

    def wait() -> None:
        with cache(calls_of):
            locks.acquire_lock("key", "two")
        taken.set()

    calls_of = cache()
    thread = threading.Thread(target=wait)
    thread.start()
    assert not taken.is_set()
    locks.release_lock("key", "one")
    thread.join(30)
    assert taken.is_set()
    assert locks.is_lock_holder("key", "two")
    locks.release_lock("key", "two")


async def _awaited() -> None:
    locks = LeaseLocks()
    assert await locks.aacquire_lock("key", "one")
    assert not await locks.aacquire_lock("key", "two", acquire_timeout=0.02)
    assert not await locks.await_for_lock("key", timeout=0.02)
    locks.release_lock("key", "one")
    assert await locks.await_for_lock("key", timeout=1)


def test_locks_can_be_awaited() -> None:
    import asyncio

    asyncio.run(_awaited())


def test_a_lock_of_another_process_counts(calls: Cache) -> None:
    from treadle.authoring.task_cache.calls import digest_for

    lease = calls.calls.leases.acquire(digest_for("lock", "key"), seconds=30)
    assert lease is not None
    locks = LeaseLocks()

    assert locks.is_locked("key")
    assert not locks.acquire_lock("key", "one", acquire_timeout=0.02)
    calls.calls.leases.release(lease)
    assert locks.acquire_lock("key", "one", acquire_timeout=5)
    locks.release_lock("key", "one")

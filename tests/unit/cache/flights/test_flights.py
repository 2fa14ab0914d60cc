"""Single flight within a process: one of many equal calls runs, and no call waits for ever."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

import pytest

from treadle.cache.flights import run_once, run_once_async
from treadle.cache.keys.digest import Digest
from treadle.cache.leases import MemoryLeases, troubles
from treadle.cache.leases.heartbeat import Heartbeat
from treadle.cache.storages.ports import Lease
from treadle.errors import CacheUnavailable

KEY = Digest("01" * 32)
OTHER = Digest("02" * 32)
SECONDS = 30.0


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Kept:
    """A cache of results, and how often it was asked."""

    def __init__(self) -> None:
        self.results: dict[Digest, str] = {}
        self.lookups = 0
        self.runs = 0

    def lookup(self, key: Digest = KEY) -> str | None:
        self.lookups += 1
        return self.results.get(key)

    def compute(self, lease: Lease | None) -> str:
        self.runs += 1
        result = f"run {self.runs}"
        self.results[lease.key if lease else KEY] = result
        return result


class BrokenLeases(MemoryLeases):
    """Leases whose database has gone."""

    def acquire(self, key: Digest, *, seconds: float, keeping: Collection[Digest] = ()) -> Lease | None:
        raise CacheUnavailable(f"No lease of {key[:4]}, {seconds} s, {len(keeping)} values.")


class NotingLeases(MemoryLeases):
    """Leases that note which of them were renewed."""

    def __init__(self) -> None:
        super().__init__()
        self.renewed: set[Digest] = set()

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        held = super().renew(leases, seconds=seconds)
        self.renewed |= held
        return held


class UnreleasableLeases(MemoryLeases):
    """Leases whose database goes while a call runs."""

    def renew(self, leases: Collection[Lease], *, seconds: float) -> set[Digest]:
        raise CacheUnavailable(f"{len(leases)} leases are not renewed by {seconds} s.")

    def release(self, lease: Lease) -> None:
        raise CacheUnavailable(f"The lease {lease.token} is not given back.")


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_threads_wait_for_the_one_that_runs(kept: Kept) -> None:
    leases = MemoryLeases()
    threads = 32
    barrier = threading.Barrier(threads)
    asked = [0]

    def compute(lease: Lease | None) -> str:
        wait_until(lambda: asked[0] == threads)
        return kept.compute(lease)

    def call(_: int) -> str:
        barrier.wait()
        asked[0] += 1
        return run_once(KEY, leases, kept.lookup, compute)

    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(call, range(threads)))

    assert results == ["run 1"] * threads
    assert kept.lookups <= threads, "nobody asks twice"
    assert leases.acquire(KEY, seconds=1) is not None, "the lease was given back"


def test_after_a_failure_the_next_runs(kept: Kept) -> None:
    leases = MemoryLeases()
    is_waiting = threading.Event()

    def fail(_: Lease | None) -> str:
        is_waiting.set()
        wait_until(lambda: len(pool._threads) == 2)
        raise ZeroDivisionError

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(run_once, KEY, leases, kept.lookup, fail)
        assert is_waiting.wait(SECONDS)
        second = pool.submit(run_once, KEY, leases, kept.lookup, kept.compute)
        with pytest.raises(ZeroDivisionError):
            first.result()
        assert second.result() == "run 1"


def test_what_was_kept_meanwhile_is_not_computed(kept: Kept) -> None:
    kept.results[KEY] = "by another process"
    leases = MemoryLeases()

    assert run_once(KEY, leases, kept.lookup, kept.compute) == "by another process"
    assert leases.acquire(KEY, seconds=1) is not None


def test_without_leases_calls_do_not_wait(kept: Kept) -> None:
    def compute(lease: Lease | None) -> str:
        assert lease is None
        return run_once(KEY, None, kept.lookup, kept.compute)

    assert run_once(KEY, None, kept.lookup, compute) == "run 1"


def test_a_call_within_itself_runs(kept: Kept) -> None:
    leases = MemoryLeases()

    def compute(lease: Lease | None) -> str:
        assert lease is not None
        within = run_once(KEY, leases, lambda: None, lambda inner: f"within, lease {inner}")
        return f"{kept.compute(lease)}, {within}"

    assert run_once(KEY, leases, kept.lookup, compute) == "run 1, within, lease None"


def test_calls_that_wait_for_each_other_end() -> None:
    leases = MemoryLeases()
    both_run = threading.Barrier(2)

    def call(mine: Digest, theirs: Digest) -> str:
        def compute(_: Lease | None) -> str:
            both_run.wait(SECONDS)
            return run_once(theirs, leases, lambda: None, lambda lease: f"alone {lease is None}")

        return run_once(mine, leases, lambda: None, compute)

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(call, KEY, OTHER), pool.submit(call, OTHER, KEY)]
        results = [end.result(SECONDS) for end in ends]

    assert "alone True" in results


def test_calls_that_wait_for_each_other_through_a_third_end() -> None:
    leases = MemoryLeases()
    between = Digest("03" * 32)
    both_run = threading.Barrier(2)

    def nested() -> str:
        def inner(_: Lease | None) -> str:
            both_run.wait(SECONDS)
            return run_once(OTHER, leases, lambda: None, lambda lease: f"alone {lease is None}")

        return run_once(KEY, leases, lambda: None, lambda _: run_once(between, leases, lambda: None, inner))

    def plain() -> str:
        def compute(_: Lease | None) -> str:
            both_run.wait(SECONDS)
            return run_once(KEY, leases, lambda: None, lambda lease: f"alone {lease is None}")

        return run_once(OTHER, leases, lambda: None, compute)

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(nested), pool.submit(plain)]
        results = [end.result(SECONDS) for end in ends]

    assert "alone True" in results


def test_a_body_may_hand_its_own_call_to_a_thread_in_its_context(kept: Kept) -> None:
    leases = MemoryLeases()

    def compute(_: Lease | None) -> str:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            again = pool.submit(context.run, run_once, KEY, leases, lambda: None, kept.compute)
            return again.result(SECONDS)

    assert run_once(KEY, leases, kept.lookup, compute) == "run 1"


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize("lease_seconds", [0.1, 2.0, 30.0, 600.0])
def test_after_a_holder_has_died_the_next_runs_within_its_lease_and_a_second(
    kept: Kept, lease_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr("treadle.cache.flights.time", clock)
    leases = MemoryLeases(clock=clock.monotonic)
    assert leases.acquire(KEY, seconds=lease_seconds) is not None  # nobody renews it or gives it back

    result = run_once(KEY, leases, kept.lookup, kept.compute, lease_seconds=lease_seconds)

    assert result == "run 1"
    assert lease_seconds <= clock.now <= lease_seconds + 1


def test_broken_leases_cost_no_call_and_one_warning(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    leases = BrokenLeases()
    before = troubles.count()

    with caplog.at_level(logging.WARNING, logger="treadle.cache"):
        results = [run_once(KEY, leases, lambda: None, kept.compute) for _ in range(3)]

    assert results == ["run 1", "run 2", "run 3"]
    assert troubles.count() == before + 3
    assert [record.getMessage() for record in caplog.records] == [
        "Equal calls may run more than once at a time: No lease of 0101, 30.0 s, 0 values."
    ]


def test_leases_that_break_meanwhile_cost_no_result(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    leases = UnreleasableLeases()

    with caplog.at_level(logging.WARNING, logger="treadle.cache"):
        assert run_once(KEY, leases, kept.lookup, kept.compute) == "run 1"

    assert "not given back" in caplog.text


def test_a_call_longer_than_its_lease_keeps_it(kept: Kept) -> None:
    leases = MemoryLeases()
    ends = time.monotonic() + 1.0

    def compute(lease: Lease | None) -> str:
        wait_until(lambda: time.monotonic() > ends)
        assert leases.acquire(KEY, seconds=1) is None
        return kept.compute(lease)

    assert run_once(KEY, leases, kept.lookup, compute, lease_seconds=0.3, keeping=[OTHER]) == "run 1"


def test_where_no_thread_can_be_started_calls_run_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError(f"can't start {thread.name}")

    leases, beat = NotingLeases(), Heartbeat()
    first, second = leases.acquire(KEY, seconds=30), leases.acquire(OTHER, seconds=0.1)
    assert first is not None
    assert second is not None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        beat.start(first, leases, 30)
    assert "can't start treadle-leases" in caplog.text
    beat.start(second, leases, 0.1)
    wait_until(lambda: OTHER in leases.renewed)

    for lease in (first, second):
        beat.stop(lease)


def test_a_lease_that_was_lost_is_not_renewed(kept: Kept) -> None:
    leases = MemoryLeases()

    def compute(lease: Lease | None) -> str:
        assert lease is not None
        leases.release(lease)
        successor = leases.acquire(KEY, seconds=60)
        assert successor is not None
        ends = time.monotonic() + 0.5
        wait_until(lambda: time.monotonic() > ends)
        assert not leases.holds(lease)
        assert leases.holds(successor)
        return kept.compute(lease)

    assert run_once(KEY, leases, kept.lookup, compute, lease_seconds=0.1) == "run 1"
    assert leases.acquire(KEY, seconds=1) is None, "the successor's lease was not given back for it"


def test_the_thread_that_renews_ends_when_no_call_runs(kept: Kept) -> None:
    run_once(KEY, MemoryLeases(), kept.lookup, kept.compute, lease_seconds=0.1)

    wait_until(lambda: "treadle-leases" not in {thread.name for thread in threading.enumerate()})


def test_a_fork_within_a_call_waits_for_nobody_who_is_not_there(kept: Kept) -> None:
    """The child of a body makes the same call, and another that a thread of its parent runs."""
    leases = MemoryLeases()
    is_running, may_end = threading.Event(), threading.Event()

    def run_other(lease: Lease | None) -> str:
        is_running.set()
        assert may_end.wait(SECONDS)
        return kept.compute(lease)

    def fork(lease: Lease | None) -> str:
        child = os.fork()
        if child == 0:
            signal.alarm(30)  # it would wait for ever in vain
            same = run_once(KEY, leases, lambda: None, lambda inner: f"alone {inner is None}")
            other = run_once(OTHER, leases, lambda: None, lambda inner: f"alone {inner is None}")
            os._exit(0 if (same, other) == ("alone True", "alone False") else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        return kept.compute(lease)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(run_once, OTHER, leases, lambda: None, run_other)
        assert is_running.wait(SECONDS)
        run_once(KEY, leases, kept.lookup, fork)
        may_end.set()
        other.result(SECONDS)


def test_coroutines_of_one_thread_run_once(kept: Kept) -> None:
    leases = MemoryLeases()
    calls = 10

    async def call() -> str:
        async def compute(lease: Lease | None) -> str:
            await asyncio.sleep(0)
            return kept.compute(lease)

        return await run_once_async(KEY, leases, kept.lookup, compute)

    async def all_calls() -> list[str]:
        return await asyncio.gather(*(call() for _ in range(calls)))

    assert asyncio.run(all_calls()) == ["run 1"] * calls


def test_a_coroutine_waits_for_a_thread_without_holding_its_loop_up(kept: Kept) -> None:
    leases = MemoryLeases()
    is_running, may_end = threading.Event(), threading.Event()

    def compute(lease: Lease | None) -> str:
        is_running.set()
        assert may_end.wait(SECONDS)
        return kept.compute(lease)

    async def never(_: Lease | None) -> str:
        raise AssertionError

    async def wait_beside_others() -> str:
        waiting = asyncio.create_task(run_once_async(KEY, leases, kept.lookup, never))
        await asyncio.sleep(0)
        may_end.set()
        return await waiting

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_once, KEY, leases, kept.lookup, compute)
        assert is_running.wait(SECONDS)
        assert asyncio.run(wait_beside_others()) == "run 1"
        assert running.result() == "run 1"


def test_a_coroutine_that_is_cancelled_leaves_the_others_waiting(kept: Kept) -> None:
    leases = MemoryLeases()

    async def calls() -> str:
        may_end = asyncio.Event()

        async def compute(lease: Lease | None) -> str:
            await may_end.wait()
            return kept.compute(lease)

        tasks = [asyncio.create_task(run_once_async(KEY, leases, kept.lookup, compute)) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[1].cancel()
        may_end.set()
        return await tasks[2]

    assert asyncio.run(calls()) == "run 1"

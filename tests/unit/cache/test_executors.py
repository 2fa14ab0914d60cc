"""Executors that are not asked for what is kept, and whose workers know the cache."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from treadle.cache import Cache, Required, cache, cached, wrap_executor
from treadle.cache.active import Bound
from treadle.cache.keys.digest import Digest
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.errors import CacheUnavailable, NotCached

pytestmark = pytest.mark.usefixtures("fresh")


class Counting(Executor):
    """Runs everything at once, and notes with what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, cores: int = 1, **kwargs: Any) -> Future[Any]:
        self.asked.append({"fn": fn, "args": args, "cores": cores, "kwargs": kwargs})
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (TypeError, ValueError) as error:
            future.set_exception(error)
        return future


@pytest.fixture
def executor() -> Counting:
    return wrap_executor(Counting())


class Point:
    digested = 0

    def __digest__(self) -> str:
        Point.digested += 1
        return "point"


@cached
def double(number: int) -> int:
    return 2 * number


def test_a_call_that_is_kept_is_not_submitted(executor: Counting) -> None:
    futures = [executor.submit(double, 3) for _ in range(3)]

    assert [future.result() for future in futures] == [6, 6, 6]
    assert len(executor.asked) == 1
    assert futures[1].done()


def test_the_executors_own_keywords_are_no_arguments(executor: Counting) -> None:
    executor.submit(double, 3, cores=4)
    executor.submit(double, number=3, cores=8)

    assert [asked["cores"] for asked in executor.asked] == [4]


def test_a_kept_exception_is_raised_by_the_future(executor: Counting) -> None:
    made = []

    @cached(exceptions=ValueError)
    def fail(number: int) -> int:
        made.append(number)
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            executor.submit(fail, 1).result()
    assert made == [1]


def test_other_functions_run_with_the_cache_in_use() -> None:
    made = []

    @cached
    def triple(number: int) -> int:
        made.append(threading.get_ident())
        return 3 * number

    def twice(number: int) -> int:
        return triple(number) + triple(number)

    with cache(Cache(MemoryValues(), MemoryCalls())) as own, wrap_executor(ThreadPoolExecutor(1)) as executor:
        assert executor.submit(twice, 1).result() == 6
        assert own.contains(triple.key(1))
    assert len(made) == 1
    assert made[0] != threading.get_ident()
    assert not triple.contains(1)


def test_a_function_that_is_bound_keeps_its_cache(executor: Counting) -> None:
    with cache(Cache(MemoryValues(), MemoryCalls())) as other:
        bound = double.bind(4)

    assert executor.submit(bound).result() == 8
    assert executor.asked[0]["fn"] is bound
    assert other.contains(double.key(4))
    assert not double.contains(4)


def test_wrapping_twice_changes_nothing(executor: Counting) -> None:
    submit = executor.submit

    assert wrap_executor(executor) is executor
    assert executor.submit is submit
    executor.submit(len, "ab")
    assert isinstance(executor.asked[0]["fn"], Bound)
    assert executor.asked[0]["fn"].function is len


class Failing(Cache):
    """Finds records whose values are gone, or cannot be read at all."""

    error: Exception = NotCached("gone")

    def lookup(self, key: Digest) -> Any:
        if isinstance(self.error, CacheUnavailable):
            raise self.error
        found = super().lookup(key)
        return found and _Gone(found.record, self)


class _Gone:
    def __init__(self, record: Any, _: object) -> None:
        self.record = record

    def result(self) -> object:
        raise NotCached("The value was removed meanwhile.")


@pytest.mark.parametrize("error", [NotCached("gone"), CacheUnavailable("away")], ids=str)
def test_a_record_that_goes_between_check_and_load_is_computed(executor: Counting, error: Exception) -> None:
    failing = Failing(MemoryValues(), MemoryCalls())
    failing.error = error
    with cache(failing):
        assert [executor.submit(double, 3).result() for _ in range(2)] == [6, 6]
    assert len(executor.asked) == 2


def test_arguments_that_have_no_key_are_submitted(executor: Counting) -> None:
    @cached
    def total(numbers: Iterator[int]) -> int:
        return sum(numbers)

    assert executor.submit(total, iter([1, 2])).result() == 3
    assert executor.submit(total, iter([1, 2])).result() == 3
    assert len(executor.asked) == 2


def test_wrong_arguments_fail_in_the_future(executor: Counting) -> None:
    with pytest.raises(TypeError, match="positional"):
        executor.submit(double, 1, 2, 3).result()


def test_a_call_that_is_not_to_be_cached_is_submitted(executor: Counting) -> None:
    @cached
    def draw(seed: Required[int] = 1) -> int:
        return seed

    for _ in range(2):
        executor.submit(draw, seed=1)
    for _ in range(2):
        executor.submit(draw)
    assert len(executor.asked) == 3


def test_arguments_are_digested_once_for_a_hit(executor: Counting) -> None:
    @cached
    def name(point: object) -> str:
        return type(point).__name__

    name(Point())
    Point.digested = 0

    assert executor.submit(name, Point()).result() == "Point"
    assert Point.digested == 1
    assert not executor.asked

"""Cached functions: hits and misses, what makes them differ, and what never keeps a call from being made."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
from pydantic import JsonValue

from treadle.cache import (
    ByContent,
    Cache,
    Environment,
    Ignored,
    Reference,
    Required,
    Runtime,
    cache,
    cached,
    digest_of,
    meta,
    project,
    tags,
)
from treadle.cache.caches.base import Prepared
from treadle.cache.caches.read_only import ReadOnly
from treadle.cache.keys import Digest
from treadle.cache.metadata import Finish
from treadle.cache.records import CallRecord, Outcome, SealedCall
from treadle.cache.storages.memory import MemoryCalls, MemoryValues
from treadle.cache.storages.ports import Lease
from treadle.errors import CacheUnavailable, Indigestible, NotCached, UsageError

pytestmark = pytest.mark.usefixtures("fresh")


class Calls(list[Any]):
    """Notes the calls that were really made."""

    def note(self, value: Any) -> Any:
        self.append(value)
        return value


@pytest.fixture
def made() -> Calls:
    return Calls()


def test_an_equal_call_is_made_once(made: Calls) -> None:
    @cached
    def double(x: int, factor: int = 2) -> int:
        return made.note(x) * factor

    assert [double(2), double(x=2), double(2, 2), double(2, factor=2)] == [4] * 4
    assert made == [2]


def test_equal_numbers_of_other_types_are_other_calls(made: Calls) -> None:
    @cached
    def echo(x: Any) -> Any:
        return made.note(x)

    results = [echo(value) for value in (1, 1.0, True, 1 + 0j, "1", b"1", None, -0.0, 0.0) for _ in range(2)]

    assert [type(result) for result in results[::2]] == [type(result) for result in made]
    assert len(made) == 9


def test_results_are_nobody_elses_to_change() -> None:
    @cached
    def numbers() -> list[int]:
        return [1, 2]

    numbers().append(3)
    numbers().append(4)

    assert numbers() == [1, 2]


def test_arguments_that_the_body_changes_are_kept_as_they_were(made: Calls) -> None:
    @cached
    def drain(items: list[int]) -> int:
        made.note(len(items))
        total = sum(items)
        items.clear()
        return total

    assert [drain([1, 2]), drain([1, 2]), drain([])] == [3, 3, 0]
    assert made == [2, 0]
    (found,) = drain.query([1, 2])
    assert found.arguments() == {"items": [1, 2]}


def test_none_is_kept_unless_it_is_not_to_be(made: Calls) -> None:
    @cached
    def nothing() -> None:
        made.note("nothing")

    @cached(keep_none=False)
    def not_yet() -> None:
        made.note("not yet")

    for _ in range(2):
        nothing()
        not_yet()

    assert made == ["nothing", "not yet", "not yet"]


def test_exceptions_are_kept_by_choice(made: Calls) -> None:
    @cached(exceptions=ValueError)
    def fail(kind: str) -> None:
        made.note(kind)
        raise {"value": ValueError, "key": KeyError}[kind](kind)

    for _ in range(2):
        with pytest.raises(ValueError, match="value"):
            fail("value")
        with pytest.raises(KeyError):
            fail("key")

    assert made == ["value", "key", "key"]
    with pytest.raises(ValueError, match="value"):
        fail.load("value")


def test_a_wrong_call_is_the_functions_own_error() -> None:
    @cached
    def one(x: int) -> int:
        return x

    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'x'"):
        one()  # type: ignore[call-arg]


def test_what_counts_is_chosen(made: Calls) -> None:
    @cached(ignore="log", require="seed")
    def draw(seed: int = 0, log: str = "") -> int:
        return made.note(seed) + 0 * len(log)

    draw(seed=1, log="a")
    draw(seed=1, log="b")
    draw()
    draw()

    assert made == [1, 0, 0]
    assert draw.call(seed=1).arguments == {"seed": 1}
    assert list(draw.troubles().values()) == [2]


def test_annotations_choose_too(made: Calls) -> None:
    def draw(seed: Required[int] = 0, log: Ignored[str] = "") -> int:
        return made.note(seed) + 0 * len(log)

    function = cached(draw)
    function(1, log="a")
    function(1, log="b")
    function()
    function()

    assert made == [1, 0, 0]


def test_paths_count_by_text_or_by_content(made: Calls, tmp_path: Path) -> None:
    @cached
    def by_text(path: Path) -> str:
        return made.note(path.read_text())

    @cached
    def by_content(path: ByContent[Path]) -> str:
        return made.note(path.read_text())

    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("a")
    second.write_text("a")

    assert [by_content(first), by_content(second), by_text(first)] == ["a"] * 3
    first.write_text("b")
    assert [by_content(first), by_text(first)] == ["b", "a"]
    assert made == ["a", "a", "b"]


def test_a_name_that_is_no_parameter_is_refused() -> None:
    with pytest.raises(UsageError, match="has no parameter 'sede'"):

        @cached(require="sede")
        def draw(seed: int) -> int:
            return seed


def test_other_arguments_by_keyword_are_ignored_and_required_by_name(made: Calls) -> None:
    @cached(ignore="log", require="seed")
    def draw(**options: Any) -> int:
        return made.note(len(options))

    draw(seed=1, log="a")
    draw(seed=1)
    draw(seed=2)
    draw()
    draw()

    assert made == [2, 1, 0, 0]
    assert draw.call(seed=1, log="a").arguments == {"options": {"seed": 1}}
    with pytest.raises(UsageError, match="has no parameter 'path'"):
        cached(by_content="path")(lambda **options: options)


class Holder:
    """A class with a method that takes no instance."""

    @staticmethod
    def static(x: int) -> int:
        return x


@pytest.mark.parametrize(
    ("options", "function", "says"),
    [
        ({"version": 1.5}, len, "version cannot be 1.5. Give a whole number"),
        ({"version": True}, len, "version cannot be True"),
        ({"exceptions": [ValueError]}, len, "a tuple of them"),
        ({"exceptions": KeyboardInterrupt}, len, "not all are exceptions"),
        ({}, vars(Holder)["static"], "Write @staticmethod above @cached"),
        ({}, functools.partial(len), "it is no function. Write a function"),
        ({}, "name", "it is no function. Write a function"),
        ({}, max, "its parameters are not known. Write a function"),
    ],
)
def test_what_cannot_be_cached_so_is_refused_at_once(options: Any, function: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        cached(**options)(function)


def test_what_is_no_cache_is_not_put_to_use() -> None:
    with pytest.raises(UsageError, match=r"3 is no cache\. Give a cache"):
        cache(3)  # type: ignore[call-overload]


def test_generators_are_refused() -> None:
    with pytest.raises(UsageError, match="a generator can be read only once"):

        @cached
        def numbers() -> Iterator[int]:
            yield 1


def test_a_result_that_can_be_read_only_once_is_handed_on(made: Calls) -> None:
    @cached
    def numbers() -> Iterator[int]:
        made.note(1)
        return iter([1, 2])

    assert [list(numbers()), list(numbers())] == [[1, 2]] * 2
    assert made == [1, 1]


def test_an_argument_without_a_key_is_told_of_once(made: Calls, caplog: pytest.LogCaptureFixture) -> None:
    @cached
    def total(items: Any) -> int:
        return made.note(sum(items))

    with caplog.at_level(logging.WARNING, "treadle.cache"):
        assert [total(iter([1, 2])), total(iter([1, 2]))] == [3, 3]

    (record,) = caplog.records
    assert "Argument 'items' of" in record.getMessage()
    assert total.troubles() == {"Indigestible": 2}
    with pytest.raises(Indigestible):
        total.key(iter([1]))


def test_a_result_that_cannot_be_stored_is_returned(made: Calls, caplog: pytest.LogCaptureFixture) -> None:
    @cached
    def lock() -> Any:
        made.note(1)
        return threading.Lock()

    with caplog.at_level(logging.WARNING, "treadle.cache"):
        assert lock().acquire()
        lock()

    assert made == [1, 1]
    assert len(caplog.records) == 1


class Away(MemoryCalls):
    """A storage that does not answer."""

    def load(self, key: Digest) -> CallRecord:
        raise CacheUnavailable(f"The storage of {key} is away.")

    def save(self, record: CallRecord, *, lease: Lease | None = None) -> None:
        raise CacheUnavailable(f"The storage of {record.key} is away; lease {lease}.")


def test_a_storage_that_is_away_fails_no_call(made: Calls, caplog: pytest.LogCaptureFixture) -> None:
    @cached
    def echo(x: int) -> int:
        return made.note(x)

    with cache(Cache(MemoryValues(), Away())), caplog.at_level(logging.WARNING, "treadle.cache"):
        assert [echo(1), echo(1)] == [1, 1]

    assert made == [1, 1]
    assert echo.troubles()["CacheUnavailable"] >= 2
    assert 1 <= len(caplog.records) <= 2


def test_a_value_that_is_gone_makes_a_miss(made: Calls, fresh: Cache) -> None:
    @cached
    def numbers() -> list[int]:
        made.note(1)
        return [1, 2]

    numbers()
    for entry in list(fresh.values.entries()):
        fresh.values.evict(entry.digest)

    assert numbers() == [1, 2]
    assert made == [1, 1]


def test_a_cache_that_can_only_be_read_gives_what_it_has(made: Calls, fresh: Cache) -> None:
    @cached
    def echo(x: int) -> int:
        return made.note(x)

    echo(1)
    with cache(ReadOnly(fresh)):
        assert [echo(1), echo(2), echo(2)] == [1, 2, 2]

    assert made == [1, 2, 2]


def test_companions_ask_without_calling(made: Calls) -> None:
    @cached(version=0)
    def echo(x: int) -> int:
        return made.note(x)

    assert not echo.contains(1)
    with pytest.raises(NotCached):
        echo.load(1)
    with pytest.raises(KeyError):
        echo.load(1)
    assert made == []
    echo(1)
    assert (echo.contains(1), echo.load(1)) == (True, 1)
    assert (echo.call(1).key, echo.call(1).version) == (echo.key(1), 0)
    assert echo.fleche.digest(1) == echo.key(1)  # type: ignore[attr-defined]
    assert inspect.signature(echo) == inspect.signature(echo.__wrapped__)


def test_rerun_makes_the_call_anew_with_those_within_it(made: Calls) -> None:
    @cached
    def inner(x: int) -> int:
        made.note(x)
        return len(made)

    @cached
    def outer(x: int) -> int:
        return inner(x) * 10

    first = outer(1)
    assert (first, outer(1)) == (10, 10)
    assert outer.rerun(1) == 20
    assert (outer(1), inner(1)) == (20, 2)


def test_a_query_finds_calls_by_their_arguments() -> None:
    @cached
    def add(x: int, y: int = 0) -> int:
        return x + y

    for x in range(3):
        for y in range(2):
            add(x, y)

    assert sorted(found.arguments()["y"] for found in add.query(x=1)) == [0, 1]
    assert [found.result() for found in add.query(2, 1)] == [3]
    assert len(list(add.query())) == 6
    assert list(add.query(x=7)) == []


def test_none_that_is_not_to_be_kept_takes_the_place_of_what_was() -> None:
    left = [1, None, None]

    @cached(keep_none=False)
    def pop() -> int | None:
        return left.pop(0)

    assert [pop(), pop(), pop.rerun(), pop.contains(), pop()] == [1, 1, None, False, None]


class Failing:
    """A collector that fails before the call, or after it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def begin(self) -> Finish:
        if self.name == "early":
            raise RuntimeError("too early")
        return self._finish

    def _finish(self) -> dict[str, JsonValue]:
        raise RuntimeError("too late")


def test_a_collector_that_fails_fails_no_call(made: Calls, caplog: pytest.LogCaptureFixture) -> None:
    @cached(meta=[Failing("early"), Failing("late")])
    def echo(x: int) -> int:
        return made.note(x)

    with caplog.at_level(logging.WARNING, "treadle.cache"):
        assert [echo(1), echo(1), echo(2)] == [1, 1, 2]

    assert made == [1, 2]
    assert [record.getMessage().rpartition(": ")[2] for record in caplog.records] == [
        "RuntimeError('too early').",
        "RuntimeError('too late').",
    ]
    assert echo.troubles() == {"early": 2, "late": 2}


def test_the_environment_of_a_user_without_a_name_is_noted(
    made: Calls, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    @cached(meta=[Environment()])
    def echo(x: int) -> int:
        return made.note(x)

    assert [echo(1), echo(1), made] == [1, 1, [1]]
    (found,) = echo.query(1)
    noted: Any = found.record.metadata["environment"]
    assert (noted["username"], noted["cwd"]) == (str(os.getuid()), None)


class Unmakable(Exception):
    """An exception that pickles, but cannot be made again of its pickle."""

    def __reduce__(self) -> tuple[type[int], tuple[str]]:
        return int, ("no number",)


def test_what_cannot_be_made_again_is_computed_again(made: Calls) -> None:
    @cached(exceptions=Unmakable)
    def fail() -> None:
        made.note(1)
        raise Unmakable

    for _ in range(2):
        with pytest.raises(Unmakable):
            fail()

    assert made == [1, 1]


def test_tags_are_noted_and_asked_for() -> None:
    @cached
    def echo(x: int) -> int:
        return x

    with tags(campaign="spring"):
        echo(1)
    echo(2)

    (found,) = echo.query(metadata={"tags": {"campaign": "spring"}})
    assert found.result() == 1
    assert found.record.metadata["runtime"]["walltime"] >= 0  # type: ignore[index, call-overload, operator]


def test_tags_and_collectors_last_unless_they_are_within_a_context() -> None:
    @cached
    def echo(x: int) -> int:
        return x

    def tags_of(x: int) -> Any:
        echo(x)
        (found,) = echo.query(x)
        return found.record.metadata.get("tags")

    tags(campaign="spring")
    project("bees")
    with tags(campaign="summer"):
        assert tags_of(1) == {"campaign": "summer", "project": "bees"}
    assert tags_of(2) == {"campaign": "spring", "project": "bees"}
    meta(Runtime())
    assert tags_of(3) is None


def test_a_digest_stands_for_the_value_that_it_names(fresh: Cache) -> None:
    @cached
    def total(items: Any) -> int:
        return sum(items)

    address = fresh.values.save([1, 2])

    assert total(address) == total([1, 2]) == 3
    with pytest.raises(NotCached):
        total(digest_of("nothing of that name"))


def test_a_reference_is_passed_on_without_loading(made: Calls, fresh: Cache) -> None:
    @cached
    def image() -> Any:
        made.note("image")
        return np.arange(1000)

    @cached
    def total(pixels: Any) -> int:
        made.note("total")
        return int(pixels.sum())

    reference = image.ref()
    assert isinstance(reference, Reference)
    assert total(reference) == total(np.arange(1000)) == 499500
    assert made == ["image", "total"]
    for entry in list(fresh.values.entries()):
        fresh.values.evict(entry.digest)
    assert total(image.ref()) == 499500
    assert made == ["image", "total"]


async def _wait(made: Calls, x: int) -> list[int]:
    made.note(x)
    await asyncio.sleep(0.01)
    return [x]


def test_coroutines_are_cached_and_run_once_side_by_side(made: Calls) -> None:
    @cached
    async def fetch(x: int) -> list[int]:
        return await _wait(made, x)

    async def all_at_once() -> list[list[int]]:
        return await asyncio.gather(*(fetch(x % 2) for x in range(20)))

    assert asyncio.run(all_at_once()) == [[0], [1]] * 10
    assert asyncio.run(all_at_once()) == [[0], [1]] * 10
    assert sorted(made) == [0, 1]
    assert inspect.iscoroutinefunction(fetch)


def test_a_future_is_handed_on_and_kept_when_it_is_done(made: Calls) -> None:
    with ThreadPoolExecutor(1) as pool:

        @cached
        def start(x: int) -> Future[int]:
            return pool.submit(made.note, x)

        assert start(1).result() == 1
    assert start(1) == 1
    assert made == [1]


def test_a_future_that_is_not_of_this_process_is_handed_on(made: Calls) -> None:
    class Promise:
        """A future of some cluster: what pickles of it is a name."""

        def add_done_callback(self, callback: Any) -> None:
            made.note(callback)

    @cached
    def start() -> Promise:
        made.note("start")
        return Promise()

    assert [type(start()), type(start()), made] == [Promise, Promise, ["start"] * 2]


def test_a_call_may_call_itself(made: Calls) -> None:
    @cached
    def fibonacci(n: int) -> int:
        made.note(n)
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert fibonacci(30) == 832040
    assert len(made) == 31


def test_equal_calls_of_several_threads_run_once(made: Calls) -> None:
    gate = threading.Barrier(8)

    @cached
    def slow(x: int) -> int:
        made.note(x)
        threading.Event().wait(0.05)
        return x

    bound = slow.bind()

    def press(x: int) -> int:
        gate.wait()
        result: int = bound(x)
        return result

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(press, [5] * 8)) == [5] * 8
    assert made == [5]


def module_level(x: int) -> int:
    return x + 1


@cached
def importable(x: int) -> int:
    return x + 1


def test_cached_functions_pickle_as_functions_do() -> None:
    assert pickle.loads(pickle.dumps(importable)) is importable  # noqa: S301 - made here

    @cached
    def local(x: int) -> int:
        return x * 3

    assert cloudpickle.loads(cloudpickle.dumps(local))(2) == 6


def test_a_cached_function_as_a_value_stands_for_what_it_wraps() -> None:
    assert digest_of(cached(module_level)) == digest_of(module_level)


def test_code_counts_by_choice() -> None:
    def first(x: int) -> int:
        """Add one."""
        return x + 1

    def other(x: int) -> int:
        return x + 2

    other.__qualname__ = first.__qualname__

    assert cached(first).key(1) == cached(other).key(1)
    assert cached(code=True)(first).key(1) != cached(code=True)(other).key(1)


def test_what_a_prepared_call_needs_is_said(fresh: Cache) -> None:
    sealed: SealedCall = cached(module_level).call([1, 2])  # type: ignore[arg-type]
    prepared: Prepared = fresh.prepare(sealed)

    (kept,) = prepared.kept
    assert fresh.load_value(kept) == [1, 2]
    record = prepared.commit(7, result_key=None)
    assert (record.outcome, fresh.load(sealed.key).result()) == (Outcome.RETURNED, 7)


def test_coroutines_are_made_anew_bound_and_referred_to_as_others_are(made: Calls) -> None:
    @cached
    async def fetch(x: int) -> list[int]:
        return await _wait(made, x)

    @cached
    async def total(items: Any) -> int:
        return int(sum(items))

    async def ask() -> None:
        assert await fetch(1) == await fetch.rerun(1) == [1]
        assert made == [1, 1]
        bound = fetch.bind(1)
        with cache(Cache(MemoryValues(), MemoryCalls())):
            assert await bound() == [1]
        assert made == [1, 1]
        references = [await fetch.ref(x) for x in (1, 2, 2)]
        assert [type(reference) for reference in references] == [Reference] * 3
        assert [await total(reference) for reference in references] == [1, 2, 2]
        assert made == [1, 1, 2]

    asyncio.run(ask())
    assert fetch.troubles() == {}


def test_a_storage_that_is_away_fails_no_call_that_is_referred_to(made: Calls) -> None:
    @cached
    def echo(x: int) -> int:
        return made.note(x)

    with cache(Cache(MemoryValues(), Away())):
        assert echo.ref(1) == 1

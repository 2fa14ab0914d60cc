"""Cached functions find what fleche has recorded of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from treadle.cache import Cache, cache, cached, meta
from treadle.cache.active import Use
from treadle.cache.caches.refreshing import Refreshing
from treadle.cache.caches.stack import Stack
from treadle.cache.storages.memory import MemoryCalls, MemoryValues

MADE: list[object] = []


def shout(text: str, mark: str = "!") -> str:
    MADE.append(text)
    return text.upper() + mark


def double(number: float) -> float:
    MADE.append(number)
    return 2 * number


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    with meta():
        yield
    MADE.clear()


@pytest.fixture
def own() -> Cache:
    return Cache(MemoryValues(), MemoryCalls())


def test_a_call_that_fleche_has_recorded_is_not_made(recording: Any, own: Cache) -> None:
    key = recording.record(shout, "a")
    MADE.clear()
    ours = cached(shout)

    with cache(Stack([own, recording.layer()])):
        assert ours.contains("a")
        assert ours("a") == "A!"
        assert ours.load("a", mark="!") == "A!"
        assert ours("b") == "B!"

    assert MADE == ["b"]
    copied = own.load(ours.key("a"))
    assert copied.record.provenance == f"fleche {key}"
    assert copied.result() == "A!"
    assert copied.arguments() == {"text": "a", "mark": "!"}


def test_a_call_that_was_copied_is_listed_once(recording: Any, own: Cache) -> None:
    for text in ("a", "b"):
        recording.record(shout, text)
    ours = cached(shout)

    with cache(Stack([own, recording.layer()])) as both:
        ours("a")
        assert ours.query("a").only().record.key == ours.key("a")
        assert both.query(name="shout").count() == 2


def test_a_number_is_computed_anew_unless_records_are_trusted(recording: Any, own: Cache) -> None:
    recording.record(double, 3)
    MADE.clear()
    ours = cached(double)

    with cache(Stack([own, recording.layer()])):
        assert ours(3.0) == 6.0
    assert MADE == [3.0]
    with cache(Stack([Cache(MemoryValues(), MemoryCalls()), recording.layer(trust="recorded")])):
        assert ours(3.0) == 6
    assert MADE == [3.0]


def test_a_coroutine_function_finds_them_too(recording: Any, own: Cache) -> None:
    recording.record(shout, "a")
    MADE.clear()

    async def anew(text: str, mark: str = "!") -> str:
        return shout(text, mark)

    anew.__module__, anew.__qualname__ = shout.__module__, shout.__qualname__
    with cache(Stack([own, recording.layer()])):
        assert asyncio.run(_awaited(cached(anew))) == "A!"

    assert not MADE


def test_a_call_is_made_again_where_that_is_asked_for(recording: Any, own: Cache) -> None:
    recording.record(shout, "a")
    MADE.clear()
    ours = cached(shout)

    with cache(Stack([own, recording.layer()])) as both:
        assert ours.rerun("a") == "A!"
        with Use(Refreshing(both)):
            assert ours("a") == "A!"

    assert MADE == ["a", "a"]


async def _awaited(function: Any) -> object:
    return await function("a")

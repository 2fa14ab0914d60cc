"""What is in use: for the whole process, or within a context, whatever other threads put to use meanwhile."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from treadle.cache.in_use import InUse, Put


@pytest.fixture
def texts() -> InUse[str]:
    return InUse("texts")


@pytest.fixture
def _quick_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_new_thread(ask: Callable[[], str | None]) -> str | None:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(contextvars.Context().run, ask).result()


def test_what_is_put_to_use_holds_in_all_threads_and_only_the_last_of_it(texts: InUse[str]) -> None:
    assert texts.get() is None
    Put(texts, "first")
    Put(texts, "second")

    assert [texts.get(), in_new_thread(texts.get)] == ["second", "second"]


def test_within_a_context_it_holds_there_alone(texts: InUse[str]) -> None:
    Put(texts, "first")
    with Put(texts, "second") as inner:
        assert [inner, texts.get(), in_new_thread(texts.get)] == ["second", "second", "first"]
        Put(texts, "third")
        assert [texts.get(), in_new_thread(texts.get)] == ["third", "first"]
        with Put(texts, "fourth"):
            assert texts.get() == "fourth"
        assert texts.get() == "third"

    assert texts.get() == "first"


@pytest.mark.usefixtures("_quick_switches")
def test_threads_that_use_something_for_a_while_leave_that_of_the_process(
    texts: InUse[str],
) -> None:
    before = Put(texts, "before")
    Put(texts, "lasting")
    gate = threading.Barrier(4)

    def use_others(own: str) -> None:
        gate.wait()
        for _ in range(2000):
            with Put(texts, own):
                assert texts.get() == own

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(use_others, "abcd"))
    assert texts.get() == "lasting"
    with before:
        assert texts.get() == "before"
    assert texts.get() == "lasting"

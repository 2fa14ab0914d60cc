"""What has no key is refused before it is touched, and the error says where it stands."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle.cache import Cache, add_hook, cached, digest_of
from treadle.cache.keys.sealing import KeyOptions, Sealer
from treadle.cache.storages.ports import Template
from treadle.errors import Indigestible, UsageError


class Counting:
    """An iterator that notes whether somebody read from it."""

    def __init__(self) -> None:
        self.read = 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.read += 1
        return self.read


async def agen() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: iter([1]),
        lambda: (x for x in ()),
        lambda: map(str, []),
        lambda: io.BytesIO(b"a"),
        agen,
        threading.Lock,
        Future,
        object,
        type("Local", (), {}),
    ],
)
def test_values_without_a_key_are_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(Indigestible, match="has no key"):
        digest_of(make())


def test_a_future_of_asyncio_is_refused() -> None:
    async def ask() -> None:
        with pytest.raises(Indigestible, match="its result is not there yet"):
            digest_of(asyncio.get_running_loop().create_future())

    asyncio.run(ask())


def test_an_iterator_is_not_read_from() -> None:
    counting = Counting()

    with pytest.raises(
        Indigestible, match=r"\[0\]\['a'\] has no key: it is of type Counting, and it can be read"
    ):
        digest_of([{"a": counting}])

    assert counting.read == 0


def test_an_open_file_keeps_its_place(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("abc")
    with file.open() as opened, pytest.raises(Indigestible, match="it is an open file"):
        digest_of(opened)
    with file.open() as opened:
        with pytest.raises(Indigestible):
            digest_of([opened])
        assert opened.read() == "abc"


def test_a_list_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(Indigestible, match="contains itself"):
        digest_of(endless)


def test_depth_has_an_end() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(Indigestible, match="nested too deeply"):
        digest_of(deep)


def test_the_argument_is_named() -> None:
    def measure(image: Any, sigma: float = 1) -> None: ...

    with pytest.raises(Indigestible, match=r"Argument 'image' of .*measure\['raw'\]\[1\] has no key"):
        Sealer(measure, KeyOptions()).seal(({"raw": [0, iter("a")]},), {})


def test_equal_values_of_equally_named_classes_of_two_modules_differ() -> None:
    here = type("Point", (int,), {"__module__": "here"})
    there = type("Point", (int,), {"__module__": "there"})

    assert digest_of(here(1)) != digest_of(there(1)) != digest_of(1)


class Device:
    def __init__(self, serial: str) -> None:
        self.serial = serial


class Probe:
    def __init__(self, serial: str) -> None:
        self.serial = serial

    def __digest__(self) -> str:
        return self.serial


def test_a_hook_that_fails_refuses_the_value_and_fails_no_call() -> None:
    class Unsure:
        def __digest__(self) -> str:
            raise RuntimeError("do not know")

    with pytest.raises(Indigestible, match="asking it failed with RuntimeError: do not know"):
        digest_of(Unsure())


class Unreadable(int):
    def __repr__(self) -> str:
        raise RuntimeError("no words")


@dataclass
class Hidden:
    x: int

    def __getattribute__(self, name: str) -> Any:
        if name == "x":
            raise RuntimeError("no entry")
        return super().__getattribute__(name)


def mute() -> None: ...


def refuse_to_say() -> str:
    raise RuntimeError("no comment")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: {Unreadable(1): iter("a")}, "no words"),
        (lambda: Hidden(1), "no entry"),
        (lambda: mute, "no comment"),
    ],
)
def test_values_whose_own_code_fails_have_no_key_and_fail_no_call(
    make: Callable[[], Any], reason: str, fresh: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mute, "__digest__", refuse_to_say, raising=False)

    @cached
    def is_there(value: object) -> bool:
        return value is not None

    assert is_there(make())
    assert list(fresh.find(Template())) == []
    with pytest.raises(Indigestible, match=f"asking it failed with RuntimeError: {reason}"):
        is_there.key(make())


def test_a_class_made_within_a_function_may_say_what_tells_its_values() -> None:
    class Local:
        def __init__(self, x: int) -> None:
            self.x = x

        def __digest__(self) -> int:
            return self.x

    assert digest_of(Local(1)) == digest_of(Local(1)) != digest_of(Local(2))


def test_a_hook_without_a_function_is_refused() -> None:
    with pytest.raises(UsageError, match=r"add_hook\(type, function\)"):
        add_hook(Device)


def test_a_hook_says_what_tells_values_of_a_class() -> None:
    with pytest.raises(Indigestible, match="nothing says what tells one"):
        digest_of(Device("a"))

    add_hook(Device, lambda device: device.serial)

    assert digest_of(Device("a")) == digest_of(Device("a"))
    assert len({digest_of(value) for value in (Device("a"), Device("b"), Probe("a"), Probe("b"), "a")}) == 5

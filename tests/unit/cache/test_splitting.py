"""Large parts of a value are kept once; the value is put together as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import attrs
import pytest

from treadle.cache.keys.digest import Digest
from treadle.cache.registry import SPLITTERS
from treadle.cache.storages.files import FileValues
from treadle.cache.storages.ports import ValueStorage
from treadle.cache.values.splitters import Form, Splitter
from treadle.errors import AlreadyExists, NotCached
from treadle.testing.cache import reachable
from treadle.testing.cache_values import Frozen, Pair, Sample, same

BIG = b"b" * 3000


@attrs.define
class Slotted:
    a: object
    b: object = None


@attrs.frozen(slots=False)
class Open:
    a: object


@dataclass
class Counting:
    """Making one by hand would count, and set what is no argument."""

    part: object
    made: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.made += 1


@dataclass
class WithCachedProperty:
    part: object

    @cached_property
    def size(self) -> int:
        return len(repr(self.part))


@dataclass
class OwnPickling:
    part: object

    def __getstate__(self) -> dict[str, object]:
        return {"part": "replaced"}


@dataclass
class WithBase(Exception):
    part: object


class Bag:
    """What nobody but its own splitter can take apart."""

    def __init__(self, items: Sequence[object]) -> None:
        self.items = list(items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bag) and self.items == other.items

    __hash__ = None  # type: ignore[assignment]  # as for any list


@pytest.fixture
def storage(tmp_path: Path) -> FileValues:
    return FileValues(tmp_path, depth=1)


def parts_of(storage: ValueStorage, value: object) -> set[Digest]:
    """Save a value; return the parts it was split into."""
    address = storage.save(value)
    assert same(storage.load(address), value)
    return reachable(storage, address) - {address}


@pytest.mark.parametrize(
    "value",
    [
        [BIG, bytearray(BIG)],
        (1, bytearray(BIG)),
        {"a": bytearray(BIG)},
        {("a", 1): bytearray(BIG), None: 1},
        Sample("a", bytearray(BIG)),
        Frozen(bytearray(BIG), 1),
        Counting(bytearray(BIG)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_containers_are_split_at_what_is_large(storage: FileValues, value: object) -> None:
    assert parts_of(storage, value) == {storage.save(bytearray(BIG))}


@pytest.mark.parametrize("value", [Slotted(bytearray(BIG)), Open(bytearray(BIG))], ids=["slots", "open"])
def test_attrs_instances_are_split(storage: FileValues, value: object) -> None:
    address = storage.save(value)

    assert storage.load(address) == value
    assert list(storage.children(address)) == [storage.save(bytearray(BIG))]


@pytest.mark.parametrize(
    "value",
    [
        Pair(bytearray(BIG), 1),
        [],
        (),
        {},
        [BIG, 1],
        {bytes((at,)) * 100: at for at in range(30)},
        Sample("a", [1, 2, 3]),
        WithBase(bytearray(BIG)),
        frozenset({BIG}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_named_tuples_empty_and_small_ones_stay_whole(storage: FileValues, value: object) -> None:
    address = storage.save(value)

    assert list(storage.children(address)) == []
    assert repr(storage.load(address)) == repr(value)


def test_instances_with_more_than_their_fields_stay_whole(storage: FileValues) -> None:
    value = WithCachedProperty(bytearray(BIG))
    assert value.size > 3000
    address = storage.save(value)
    loaded = storage.load(address)

    assert list(storage.children(address)) == []
    assert isinstance(loaded, WithCachedProperty)
    assert vars(loaded) == vars(value)


def test_instances_that_pickle_themselves_do_so(storage: FileValues) -> None:
    loaded = storage.load(storage.save([OwnPickling(bytearray(BIG))]))

    assert loaded == [OwnPickling("replaced")]


def test_what_two_values_share_is_kept_once(storage: FileValues) -> None:
    shared = [float(number) for number in range(1000)]
    first, second = storage.save({"a": shared, "b": 1}), storage.save([2, shared])

    assert list(storage.children(first)) == list(storage.children(second)) == [storage.save(shared)]
    assert len(list(storage.entries())) == 3


@pytest.mark.parametrize(("depth", "nodes"), [(0, 3), (1, 3), (2, 2), (3, 1), (9, 1)])
def test_depth_is_counted_from_the_innermost(tmp_path: Path, depth: int, nodes: int) -> None:
    storage = FileValues(tmp_path, depth=depth)
    innermost = list(range(1000))

    assert len(parts_of(storage, [[innermost]])) == nodes - 1


def test_without_a_depth_values_stay_whole(tmp_path: Path) -> None:
    assert parts_of(FileValues(tmp_path, depth=None), [[bytearray(BIG)]]) == set()


@pytest.mark.parametrize("depth", [200, 400])
def test_a_very_deep_value_is_kept(storage: FileValues, depth: int) -> None:
    """Too deep to be split, it stays whole."""
    value: list[object] = [bytearray(BIG)]
    for _ in range(depth):
        value = [value]

    loaded = storage.load(storage.save(value))
    for _ in range(depth):
        assert isinstance(loaded, list)
        loaded = loaded[0]
    assert loaded == [bytearray(BIG)]


def test_a_value_too_deep_to_be_put_together_is_not_cached(storage: FileValues) -> None:
    value: list[object] = [bytearray(BIG)]
    for _ in range(200):
        value = [value]
    address = storage.save(value)

    def load_deep_within(calls: int) -> object:
        return load_deep_within(calls - 1) if calls else storage.load(address)

    with pytest.raises(NotCached):
        load_deep_within(750)


@pytest.mark.usefixtures("bags")
def test_extensions_split_their_own_types(storage: FileValues) -> None:
    bag = Bag([bytearray(BIG), 1])
    address = storage.save([bag])

    assert storage.load(address) == [bag]
    assert storage.save(bytearray(BIG)) in reachable(storage, address)


@pytest.fixture
def bags(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A splitter of bags, for one test."""
    monkeypatch.setattr(SPLITTERS, "_items", dict(SPLITTERS._items))
    SPLITTERS.register("test-bag", Splitter("test-bag", lambda kind: kind is Bag, _take_bag, _make_bag))
    yield
    SPLITTERS.registered += 1


def _take_bag(value: object) -> tuple[Form, Sequence[object]]:
    assert isinstance(value, Bag)
    return None, value.items


def _make_bag(_: Form, parts: list[object]) -> object:
    return Bag(parts)


def test_a_name_is_given_once() -> None:
    with pytest.raises(AlreadyExists, match="'list'"):
        SPLITTERS.register("list", Splitter("list", lambda _: True, _take_bag, _make_bag))

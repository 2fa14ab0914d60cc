"""fleche's digests are those that fleche itself computes."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import types
from collections.abc import Callable
from zoneinfo import ZoneInfo

import attrs
import fleche.digest
import numpy as np
import pandas as pd
import pytest
from fleche.call import Call
from hypothesis import given
from hypothesis import strategies as st

from treadle.cache.fleche.digest import call_key, digest_of
from treadle.cache.fleche.records import OldDigest
from treadle.cache.keys.digest import Digest
from treadle.cache.keys.hooks import add_hook
from treadle.errors import Indigestible

HEX = "0123456789abcdef"


@dataclasses.dataclass
class Point:
    x: object
    y: object = None


@attrs.define
class Pair:
    x: object
    y: object = None


class Level(enum.IntEnum):
    LOW = 1


class Temperature:
    def __init__(self, kelvin: int) -> None:
        self.kelvin = kelvin

    def __digest__(self) -> str:
        return fleche.digest.digest(self.kelvin)


class Rod:
    def __init__(self, length: int) -> None:
        self.length = length


class Reader:
    def __init__(self, width: int = 3) -> None:
        self.width = width

    def __iter__(self) -> object:
        return iter([self.width])

    def __hash__(self) -> int:
        return super().__hash__()

    @classmethod
    def named(cls) -> str:
        return cls.__name__

    @staticmethod
    def fixed() -> int:
        return 3

    @property
    def area(self) -> int:
        return self.width**2


def adder(amount: int, times: int = 2) -> Callable[[int], int]:
    def add(value: int, *, scale: float = 1.0, unit: str = "m") -> int:
        return add(value - 1) if value > amount else int(times * scale) + len(unit)

    return add


MODULE = types.ModuleType("constants")
MODULE.__dict__.update(__all__=["pi", "names"], pi=3, names=["a"])
ZONE = datetime.timezone(datetime.timedelta(hours=1))
PLAIN = [
    *(0, 1, -1, 127, 128, -128, -129, 255, 2**64, True, False, None, "", "é\0", b"", b"\0a"),
    *(1.5, -0.0, float("inf"), float("nan"), -float("nan"), 1 + 2j, complex("nan")),
    *(decimal.Decimal("1.50"), decimal.Decimal("nan"), fractions.Fraction(1, 3), Level.LOW),
    *([], (), {}, [1, [2]], (1, "a"), {"b": 1, "a": [2]}, {1: 2}, {1, 2}, frozenset({"a"}), range(3)),
    *(bytearray(b"ab"), memoryview(b"ab"), collections.OrderedDict(a=1), collections.Counter("aab")),
    *(collections.deque([1]), collections.defaultdict(int, a=1), types.MappingProxyType({"a": 1})),
    *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=ZONE), datetime.time(1, 2, 3), ZONE),
    *(datetime.datetime(2020, 7, 1, tzinfo=ZoneInfo("Europe/Paris")), datetime.timedelta(days=-1, seconds=3)),
    *(Point(1, [2]), Pair(1, {"x": Point(2)}), Temperature(3), Reader(), int, list, MODULE),
]
ARRAYS = [
    *(np.int64(3), np.float32(1.5), np.float64("nan"), np.bool_(True), np.str_("x"), np.bytes_(b"x")),
    *(np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.arange(9)[::2]),
    *(np.array(["a", "bc"]), np.array([1, "a", None, [2]], dtype=object), np.array(5), np.array([])),
    *(np.zeros(2, dtype=[("a", "i4"), ("b", "O")]), np.zeros(2, dtype=[("a", "i4", 2)]), np.array(True)),
    *(np.array("2020-01-01", dtype="M8[D]"), np.array([1], dtype=">i4"), np.ma.array([1, 2], mask=[0, 1])),
]
PANDAS = [
    pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [b"x", [1]]}),
    pd.DataFrame(),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.Series([1, 2], name="s", index=["x", "y"]),
    pd.Series(["a", "b"]),
    pd.Series([3, "a", pd.NA], dtype=object),
    pd.Series(pd.Categorical(["a", "b", 1])),
    pd.Series(pd.array([1, None], dtype="Int64")),
    pd.Index([1, 2], name="i"),
    pd.Index([b"a", 2], dtype=object),
    pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"]),
    pd.date_range("2020", periods=3),
    pd.Timestamp("2020"),
    pd.NA,
]
FUNCTIONS = [
    *(adder, adder(1), adder(1, 3), adder.__code__, lambda x: x, lambda x, n=1, *, k=2: x + n + k),
    *(Reader().named, Reader.__dict__["named"], Reader.__dict__["fixed"], Reader.__dict__["area"]),
    Reader.__hash__,
]


@pytest.mark.parametrize(
    "value", [*PLAIN, *ARRAYS, *PANDAS, *FUNCTIONS], ids=lambda value: type(value).__name__
)
def test_a_value_has_the_digest_that_fleche_gives_it(value: object) -> None:
    assert digest_of(value) == fleche.digest.digest(value)


def test_a_method_has_the_digest_of_function_and_receiver() -> None:
    method = Temperature(3).__digest__

    assert digest_of(method) == fleche.digest.digest(method)


def _nested(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    keys = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.floats(), st.binary())
    return st.recursive(
        leaves,
        lambda children: st.one_of(
            st.lists(children, max_size=3),
            st.lists(children, max_size=3).map(tuple),
            st.dictionaries(keys, children, max_size=3),
            st.builds(Point, children, children),
            st.builds(Pair, children),
            st.builds(collections.deque, st.lists(children, max_size=3)),
        ),
        max_leaves=8,
    )


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.fractions(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.sampled_from([None, ZONE, ZoneInfo("Europe/Paris")])),
    st.timedeltas(),
    st.frozensets(st.integers(), max_size=3),
    st.lists(st.floats(width=32)).map(lambda values: np.array(values, dtype="f4")),
    st.lists(st.text(max_size=5)).map(np.array),
    st.lists(st.integers(0, 9), min_size=4, max_size=4).map(lambda values: np.array(values).reshape(2, 2).T),
    st.lists(st.one_of(st.text(), st.integers(-9, 9), st.none()), max_size=3).map(
        lambda values: pd.Series(values, dtype=object)
    ),
    st.text(HEX, min_size=64, max_size=64).map(OldDigest),
)


@given(_nested(LEAVES))
def test_nested_values_have_the_digests_that_fleche_gives_them(value: object) -> None:
    assert digest_of(value) == _fleches(value)


@given(
    name=st.text(min_size=1),
    arguments=st.dictionaries(st.text(), _nested(LEAVES), max_size=3),
    module=st.none() | st.text(),
    version=st.none() | st.integers() | st.text(),
    code=st.none() | st.text(HEX, min_size=64, max_size=64).map(OldDigest),
)
def test_a_call_has_the_key_that_fleche_gives_it(
    name: str,
    arguments: dict[str, object],
    module: str | None,
    version: int | str | None,
    code: OldDigest | None,
) -> None:
    theirs = Call(
        name,
        {key: _as_fleches(value) for key, value in arguments.items()},
        module=module,
        version=version,
        code_digest=code and fleche.digest.Digest(code),
    )

    assert call_key(name, arguments, module=module, version=version, code=code) == theirs.to_lookup_key()


def test_a_digest_of_ours_is_a_text_like_others() -> None:
    value = [Digest("a" * 64)]

    assert digest_of(value) == fleche.digest.digest(value)
    assert digest_of(value) != digest_of([OldDigest("a" * 64)])


def test_hooks_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    def digest_rod(rod: Rod) -> str:
        return fleche.digest.digest(rod.length)

    monkeypatch.setattr("treadle.cache.keys.hooks._hooks", {})
    monkeypatch.setattr("fleche.digest._HOOKS", [])
    with pytest.raises(Indigestible):
        digest_of(Rod(3))
    fleche.digest.add_hook((Rod, digest_rod))
    add_hook(Rod, digest_rod)

    assert digest_of([Rod(3)]) == fleche.digest.digest([Rod(3)]) == digest_of([3])


def test_a_digest_stands_for_its_value() -> None:
    assert digest_of([digest_of("a"), {"k": digest_of("b")}]) == digest_of(["a", {"k": "b"}])


@pytest.mark.parametrize(
    "value",
    [object(), ..., Temperature, np.datetime64("2020"), fractions.Fraction(10**400)],
    ids=lambda value: type(value).__name__,
)
def test_what_fleche_cannot_digest_is_refused(value: object) -> None:
    with pytest.raises((fleche.digest.Indigestible, OverflowError)):
        fleche.digest.digest(value)

    with pytest.raises(Indigestible, match="no rule"):
        digest_of({"in": [value]})


def test_an_iterator_is_not_used_up() -> None:
    numbers = iter([1, 2])

    with pytest.raises(Indigestible, match="list_iterator"):
        digest_of([numbers])

    assert list(numbers) == [1, 2]


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)

    with pytest.raises(Indigestible, match="contains itself"):
        digest_of(value)


def _fleches(value: object) -> str:
    return fleche.digest.digest(_as_fleches(value))


def _as_fleches(value: object) -> object:
    """The value with fleche's class for each digest."""
    match value:
        case OldDigest():
            return fleche.digest.Digest(value)
        case list() | tuple() | collections.deque():
            return type(value)(_as_fleches(each) for each in value)
        case dict():
            return {key: _as_fleches(each) for key, each in value.items()}
        case Point() | Pair():
            return type(value)(_as_fleches(value.x), _as_fleches(value.y))
    return value

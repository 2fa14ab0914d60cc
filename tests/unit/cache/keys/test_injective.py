"""No two unequal typed values share a digest, and equal ones always do."""

from __future__ import annotations

import copy
import math
import pickle
from collections import OrderedDict, defaultdict, deque
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntFlag
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import attrs
import numpy as np
import pandas as pd
import pydantic
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from treadle.cache import digest_of


class Colour(Enum):
    RED = 1
    BLUE = "1"


class Flag(IntFlag):
    A = 1
    B = 2


@dataclass
class Data:
    x: Any
    y: Any = None


@dataclass
class OtherData:
    x: Any
    y: Any = None


@attrs.define
class Attrs:
    x: Any


class Model(pydantic.BaseModel):
    x: Any


class Named(NamedTuple):
    x: Any
    y: Any


class Text(str):
    __slots__ = ()


NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.complex_numbers(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 0.0, -0.0, 1.0, True, False, 255, 256, 2**63, -(2**63)]),
)
ATOMS = st.one_of(
    st.none(),
    NUMBERS,
    st.text(max_size=6),
    st.binary(max_size=6),
    st.sampled_from(["", b"", "1", b"1", "a", b"a", ..., NotImplemented, Text("a"), bytearray(b"a")]),
    st.sampled_from([*Colour, Flag.A, Flag.A | Flag.B, UUID(int=1), UUID(int=2)]),
    st.decimals(allow_nan=False),
    st.fractions(max_denominator=10),
    st.sampled_from([PurePosixPath("a"), PurePosixPath("a/b"), PureWindowsPath("a")]),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, UTC, timezone(timedelta(hours=1))])),
    st.times(),
    st.timedeltas(),
    st.builds(range, st.integers(-3, 3), st.integers(-3, 3), st.sampled_from([-2, -1, 1, 2])),
    st.builds(slice, st.integers(-1, 1), st.none() | st.integers(-1, 1)),
)
HASHABLE = st.recursive(
    ATOMS.filter(lambda value: _hashable(value) and value == value),  # noqa: PLR0124 - nan is not
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
ARRAYS = npst.arrays(
    dtype=st.sampled_from(["<i4", "<i8", "<f4", "<f8", "?", "<U2", "S2", "<M8[s]", "<c16", ">i4"]),
    shape=npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)
VALUES = st.recursive(
    ATOMS | ARRAYS | ARRAYS.map(lambda array: array[()] if array.ndim == 0 else array),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.sets(HASHABLE, max_size=3),
        st.frozensets(HASHABLE, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3),
        st.dictionaries(HASHABLE, inner, max_size=3).map(OrderedDict),
        st.dictionaries(HASHABLE, inner, max_size=3).map(lambda found: defaultdict(list, found)),
        st.builds(Data, inner, inner),
        st.builds(OtherData, inner, inner),
        st.builds(Attrs, inner),
        st.builds(Model, x=inner),
        st.builds(Named, inner, inner),
    ),
    max_leaves=8,
)


def _hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def same(one: Any, other: Any) -> bool:  # noqa: C901, PLR0911 - a rule per kind of value
    """Whether two values are equal and of the same types all the way down."""
    if type(one) is not type(other):
        return False
    match one:
        case float():
            return (math.isnan(one) and math.isnan(other)) or one.hex() == other.hex()
        case complex():
            return same(one.real, other.real) and same(one.imag, other.imag)
        case Decimal():
            return str(one) == str(other)
        case datetime() | time():
            bare = (one.replace(tzinfo=None), one.fold)
            return one.tzinfo == other.tzinfo and bare == (other.replace(tzinfo=None), other.fold)
        case np.ndarray() | np.generic():
            return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        case OrderedDict():
            return same(list(one.items()), list(other.items()))
        case dict():
            return len(one) == len(other) and all(
                any(same(key, theirs) and same(item, other[theirs]) for theirs in other)
                for key, item in one.items()
            )
        case set() | frozenset():
            return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
        case list() | tuple() | deque():
            return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
        case Model() | Attrs():
            return same(one.x, other.x)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(one == other)


@settings(max_examples=1000)
@given(VALUES, VALUES)
def test_values_share_a_digest_exactly_if_they_are_the_same(one: Any, other: Any) -> None:
    assert (digest_of(one) == digest_of(other)) == same(one, other)


@given(VALUES)
def test_a_copy_has_the_digest_of_its_original(value: Any) -> None:
    assert digest_of(copy.deepcopy(value)) == digest_of(value)


@given(st.lists(VALUES, max_size=4))
def test_a_sequence_is_told_from_its_nestings(values: list[Any]) -> None:
    forms = [
        values,
        [values],
        tuple(values),
        (values,),
        *([values[:k], values[k:]] for k in range(len(values) + 1)),
    ]
    digests = [digest_of(form) for form in forms]
    for i, form in enumerate(forms):
        for j, other in enumerate(forms):
            assert (digests[i] == digests[j]) == same(form, other)


@given(st.lists(st.tuples(HASHABLE, ATOMS), unique_by=lambda pair: pair[0], max_size=5), st.randoms())
def test_the_order_of_a_dict_does_not_count(pairs: list[Any], random: Any) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert digest_of(dict(pairs)) == digest_of(dict(shuffled))


@given(ARRAYS)
def test_how_an_array_lies_in_memory_does_not_count(array: Any) -> None:
    doubled = np.repeat(array, 2, axis=0)[::2] if array.ndim else array
    assert digest_of(np.asarray(array, order="F")) == digest_of(array) == digest_of(doubled)


class Quantity(np.ndarray):
    """An array with a unit, as several libraries have them."""

    unit: str = ""


class Slotted(list[int]):
    __slots__ = ("unit",)


class Pair(Named):
    pass


@dataclass(eq=False)
class Table(dict[str, int]):
    title: str


class Units(pd.DataFrame):
    _metadata: ClassVar[list[str]] = ["unit"]


def with_attribute(value: Any, name: str, content: Any) -> Any:
    setattr(value, name, content)
    return value


def table(title: str, **items: int) -> Table:
    found = Table(title)
    found.update(items)
    return found


SHADES = [
    *(with_attribute(np.zeros(2).view(Quantity), "unit", unit) for unit in ("m", "km")),
    *(with_attribute(Slotted([1]), "unit", unit) for unit in ("m", "km")),
    *(with_attribute(Pair(1, 2), "unit", unit) for unit in ("m", "km")),
    *(with_attribute(Units({"a": [1]}), "unit", unit) for unit in ("m", "km")),
    *(with_attribute(pd.Series([1]), "attrs", {"unit": unit}) for unit in ("m", "km")),
    *(with_attribute(ValueError(1), "unit", unit) for unit in ("m", "km")),
    *(np.ma.MaskedArray([1, 2], mask=[False, True], fill_value=fill) for fill in (7, 8)),
    *(OSError(2, "No such file", name) for name in ("a", "b")),
    *(table(title, a=a) for title in ("t", "u") for a in (1, 2)),
]


def test_no_two_values_that_differ_in_an_attribute_share_a_digest_and_copies_do() -> None:
    digests = [digest_of(value) for value in SHADES]

    assert len(set(digests)) == len(SHADES)
    assert [digest_of(pickle.loads(pickle.dumps(value))) for value in SHADES[2:]] == digests[2:]  # noqa: S301


def test_an_exception_whose_attributes_were_looked_at_stays_the_same() -> None:
    looked_at = KeyError("a")
    assert vars(looked_at) == {}

    assert digest_of(looked_at) == digest_of(KeyError("a"))


def test_where_a_mapped_array_lies_does_not_count(tmp_path: Path) -> None:
    files = tmp_path / "a.npy", tmp_path / "b.npy"
    for file in files:
        np.save(file, np.arange(3))

    first, second = (digest_of(np.load(file, mmap_mode="r")) for file in files)

    assert first == second


FRAMES = [
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"a": [1.0, 2.0]}),
    pd.DataFrame({"a": [1, 2]}, index=[1, 2]),
    pd.DataFrame({"b": [1, 2]}),
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame([[2, 1]], columns=["a", "a"]),
    pd.Series([1, 2]),
    pd.Series([1, 2], name="a"),
    pd.Series([1, None], dtype="Int64"),
    pd.Series([1, 0], dtype="Int64"),
    pd.Series(["a", "b"], dtype="category"),
    pd.Series(["b", "a"], dtype="category"),
    pd.Series(pd.Categorical(["a", "b"], ordered=True)),
    pd.Series(pd.date_range("2020", periods=2)),
    pd.Series(pd.date_range("2020", periods=2, tz="UTC")),
    pd.Series(pd.date_range("2020", periods=2, tz="Europe/Zurich")),
    pd.Series(pd.period_range("2020", periods=2, freq="D")),
    pd.Series(pd.interval_range(0, 2)),
    pd.Index([1, 2]),
    pd.RangeIndex(2),
    pd.MultiIndex.from_product([["a"], [1, 2]]),
    pd.MultiIndex.from_product([["a"], [1, 3]]),
    pd.Timestamp("2020"),
    pd.Timestamp("2020", tz="UTC"),
    datetime(2020, 1, 1),  # noqa: DTZ001 - without a zone
    pd.Timedelta("1s"),
    timedelta(seconds=1),
    pd.Period("2020", "D"),
    pd.Interval(0, 1),
    pd.NaT,
    pd.NA,
    None,
    float("nan"),
    date(2020, 1, 1),
    Fraction(1, 1),
]


def test_no_two_of_pandas_values_share_a_digest_and_copies_do() -> None:
    digests = [digest_of(value) for value in FRAMES]

    assert len(set(digests)) == len(FRAMES)
    assert [digest_of(copy.deepcopy(value)) for value in FRAMES] == digests


OF_NUMPY = [
    np.array([1, 2]),
    np.array([1, 2], dtype=object),
    np.array([1.0, 2.0], dtype=object),
    np.array(["1", "2"], dtype=object),
    np.array([(1, 2.0)], dtype=[("a", "<i8"), ("b", "<f8")]),
    np.array([(1, 2.0)], dtype=[("a", "<i8"), ("c", "<f8")]),
    np.array([(2.0, 1)], dtype=[("b", "<f8"), ("a", "<i8")]),
    np.ma.MaskedArray([1, 2]),
    np.ma.MaskedArray([1, 2], mask=[False, True]),
    np.ma.MaskedArray([1, 2], mask=[True, False]),
    np.ma.MaskedArray([1.0, 2.0], mask=[True, False]),
    np.rec.array([(1, 2.0)], dtype=[("a", "<i8"), ("b", "<f8")]),
    np.int64(1),
    np.int32(1),
    np.array(1),
    np.dtype("<i8"),
    np.dtype("<i4"),
    np.sin,
    np.cos,
    np.random.default_rng(1),
    np.random.default_rng(2),
    np.random.Generator(np.random.MT19937(1)),
    np.random.RandomState(1),
    np.random.RandomState(2),
    np.random.PCG64(1),
]


def test_no_two_of_numpys_values_share_a_digest_and_copies_do() -> None:
    digests = [digest_of(value) for value in OF_NUMPY]

    assert len(set(digests)) == len(OF_NUMPY)
    assert [digest_of(copy.deepcopy(value)) for value in OF_NUMPY] == digests


def test_what_lies_under_a_mask_does_not_count() -> None:
    one, other = (np.ma.MaskedArray([1, hidden], mask=[False, True]) for hidden in (2, 3))

    assert digest_of(one) == digest_of(other)

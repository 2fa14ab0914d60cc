"""Where fleche's digest tells values apart."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from treadle.cache.fleche.digest import digest_of
from treadle.cache.fleche.injective import is_injective, is_same

APART = [
    *("", "a", "b", "None", "__None__", "True", "2020-01-01", b"", b"a", b"b", True, False, None),
    *(date(2020, 1, 1), datetime(2020, 1, 1), time(0), time(0, 0, 0, 1)),  # noqa: DTZ001 - without a zone
    *([], (), {}, [""], ("",), [[]], ([],), ["a", "b"], ["b", "a"], ["ab"], [["a"], "b"], [["a", "b"]]),
    *({"a": "b"}, {"b": "a"}, {"a": None}, {"a": {}}, {"a": "a", "b": "b"}, [("a", "b")], {b"a": "b"}),
    *(np.array([1]), np.array([1.0]), np.array([[1]]), np.array(1), np.array([], "i8"), np.array([], "f8")),
    *(np.array([0.0]), np.array([-0.0]), np.array([True]), np.array(["a"]), np.array(["a"], object)),
    *(np.array([1], ">i8"), np.array(["1"]), np.array([b"1"]), np.array(["2020"], "M8[Y]")),
    *(np.zeros(1, [("a", "i4")]), np.zeros(1, [("b", "i4")]), np.zeros(1, [("a", "i4"), ("b", "i4")])),
]


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: str


def test_values_of_these_kinds_have_digests_of_their_own() -> None:
    assert all(map(is_injective, APART))
    for one, other in itertools.combinations(APART, 2):
        assert digest_of(one) != digest_of(other), (one, other)
        assert not is_same(one, other), (one, other)


LEAVES = st.one_of(
    st.sampled_from(["", "a", "b", b"", b"a", True, False, None]),
    st.dates(),
    st.datetimes().map(lambda moment: moment.replace(fold=0)),
    arrays.arrays(arrays.integer_dtypes() | arrays.floating_dtypes(), arrays.array_shapes(max_side=2)),
)
VALUES = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.lists(children, max_size=2),
        st.lists(children, max_size=2).map(tuple),
        st.dictionaries(st.sampled_from(["a", "b", None, True]), children, max_size=2),
    ),
    max_leaves=5,
)


@given(VALUES, VALUES)
def test_only_equal_values_share_a_digest(one: object, other: object) -> None:
    assert is_injective(one)
    assert is_injective(other)

    assert is_same(one, one)
    assert (digest_of(one) == digest_of(other)) == is_same(one, other)


@pytest.mark.parametrize(
    "value",
    [
        *(1, 1.0, 1j, np.float64(1), np.bool_(True), np.str_("a"), Text("a"), {"a"}, frozenset(), range(2)),
        *(
            timedelta(0),
            datetime(2020, 1, 1, tzinfo=UTC),
            time(0, fold=1),
            Point("a"),
            collections.OrderedDict(),
        ),
        *(
            np.ma.array([1]),
            np.array([1, None], object),
            np.zeros(1, [("a", "O")]),
            np.zeros(1, "V4"),
            object(),
        ),
        *([1], ("a", 1), {"a": 1}, {1: "a"}, [[{"a": (1,)}]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nothing_is_promised_of_other_values(value: object) -> None:
    assert not is_injective(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, np.bool_(True)),
        ([True], [np.bool_(True)]),
        ({"a": True}, {"a": np.bool_(True)}),
        (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
        (time(2, fold=0), time(2, fold=1)),
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/London"))),
    ],
    ids=repr,
)
def test_values_that_share_a_digest_are_told_apart_by_themselves(one: object, other: object) -> None:
    assert digest_of(one) == digest_of(other)
    assert not is_same(one, other)


def test_the_order_of_keys_does_not_count() -> None:
    one, other = {"a": "x", "b": ["y"]}, {"b": ["y"], "a": "x"}

    assert digest_of(one) == digest_of(other)
    assert is_same(one, other)


def test_a_value_that_contains_itself_is_not_relied_upon() -> None:
    value: list[object] = []
    value.append(value)

    assert not is_injective(value)

"""Values to put into a cache, and what it means that one came back unchanged; needs `hypothesis`."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache
from pathlib import PurePosixPath
from typing import NamedTuple
from uuid import UUID

from hypothesis import strategies as st


class Colour(Enum):
    """An enum that can be imported."""

    RED = 1
    BLUE = "blue"


class Pair(NamedTuple):
    """A named tuple that can be imported."""

    first: object
    second: object


@dataclass
class Sample:
    """A dataclass that can be imported."""

    name: str
    parts: object = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A dataclass without a dictionary, that cannot be set."""

    one: object
    two: object


_ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=8)
)
_LARGE = st.integers(0, 255).map(lambda byte: bytes((byte,)) * 2000)
_OTHERS = st.sampled_from(
    [
        Colour.RED,
        Colour.BLUE,
        Decimal("1.10"),
        Fraction(1, 3),
        UUID(int=7),
        PurePosixPath("/a/b"),
        datetime(2026, 1, 2, tzinfo=UTC),
        timedelta(1, 2, 3),
        range(3),
        frozenset({1, 2}),
        bytearray(b"abc"),
        (),
        [],
        {},
    ]
)


@cache
def values() -> st.SearchStrategy[object]:
    """Make values of all sorts that pickle can keep, nested a little, some too large to stay in a parent."""
    hashable = st.booleans() | st.integers() | st.text(max_size=3)
    return st.recursive(
        _ATOMS | _OTHERS | _LARGE,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.lists(inner, max_size=4).map(tuple)
            | st.dictionaries(hashable, inner, max_size=4)
            | st.builds(Sample, st.text(max_size=3), inner)
            | st.builds(Frozen, inner, inner)
            | st.builds(Pair, inner, inner)
        ),
        max_leaves=8,
    )


def same(one: object, other: object) -> bool:
    """Whether two values have the same types and bits all through: for `==`, 1 is True and 1.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, complex) and isinstance(other, complex):
        return same(one.real, other.real) and same(one.imag, other.imag)
    left, right = _parts(one), _parts(other)
    if left is None or right is None:
        return _equal(one, other)
    return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))


def _parts(value: object) -> list[object] | None:
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return [part for item in value.items() for part in item]
    if dataclasses.is_dataclass(value):
        return [getattr(value, one.name) for one in dataclasses.fields(value)]
    return None


def _equal(one: object, other: object) -> bool:
    if type(one).__module__ == "numpy":
        import numpy as np

        return isinstance(one, np.ndarray) and isinstance(other, np.ndarray) and _same_arrays(one, other)
    return one == other


def _same_arrays(one: object, other: object) -> bool:
    import numpy as np

    a, b = np.asarray(one), np.asarray(other)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def unequal_values() -> Iterator[object]:
    """Yield values that are easily taken for one another."""
    yield from (True, 1, 1.0, "1", b"1", 0, False, 0.0, -0.0, None, "", b"", "None")
    yield from (
        (1,),
        [1],
        [1.0],
        [True],
        {1: 1},
        {"1": 1},
        {1},
        frozenset({1}),
        Pair(1, 2),
        (1, 2),
        [],
        (),
        {},
    )
    yield from (Decimal(1), Fraction(1), 1 + 0j, Colour.RED, "RED", PurePosixPath("1"), float("nan"))

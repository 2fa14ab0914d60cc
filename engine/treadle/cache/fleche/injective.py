"""Where fleche's digest tells values apart, and what it leaves open there.

Two values of these kinds have different digests unless they are equal, up to the order of a dictionary's
keys, the memory order of arrays, and a numpy bool for a bool: `is_same` tells the last two apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from types import NoneType
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    import numpy as np

_ALONE: frozenset[type] = frozenset({str, bytes, bool, NoneType, date})
_STEADY: frozenset[type] = _ALONE | {int, float, complex, timedelta}
_PLAIN_KINDS = frozenset("biufcSUMm")


def is_injective(value: object) -> bool:
    """Whether no unequal value has the digest that fleche gives this one.

    Exactly str, bytes, bool, None, date, time and datetime without a zone, arrays of numbers, texts, times,
    records of these, or such objects, and lists, tuples and dictionaries of all these. A time's digest knows
    its offset but not its zone, so times of two zones can share it.
    """
    try:
        return _consists_of(value, _ALONE)
    except RecursionError:
        return False


def is_steady(value: object) -> bool:
    """Whether a value has the same digest in every process: sets and functions need not."""
    try:
        return _consists_of(value, _STEADY)
    except RecursionError:
        return False


def is_same(one: object, other: object) -> bool:
    """Whether two injective values are equal in type, too, and arrays in dtype and memory order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and _are_same(_paired(one, one), _paired(other, one))
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return _are_same(one, other)
    if _is_array(one) and _is_array(other):
        return _is_same_array(one, other)
    if isinstance(one, datetime | time) and isinstance(other, datetime | time):
        return one == other and (one.fold, one.tzinfo) == (other.fold, other.tzinfo)
    return one == other


def _consists_of(value: object, alone: frozenset[type]) -> bool:
    kind = type(value)
    if isinstance(value, datetime | time):
        return kind in {datetime, time} and value.tzinfo is None and value.fold == 0
    if isinstance(value, list | tuple | dict):
        parts = (each for pair in value.items() for each in pair) if isinstance(value, dict) else value
        return kind in {list, tuple, dict} and all(_consists_of(part, alone) for part in parts)
    if _is_array(value):
        if value.dtype.kind == "O":
            return all(_consists_of(each, alone) for each in value.ravel().tolist())
        return _is_plain(value.dtype)
    return kind in alone


def _is_plain(dtype: np.dtype) -> bool:
    if dtype.subdtype is not None:
        return _is_plain(dtype.subdtype[0])
    if dtype.fields is not None:
        return all(_is_plain(field[0]) for field in dtype.fields.values())
    return dtype.kind in _PLAIN_KINDS


def _is_same_array(one: np.ndarray, other: np.ndarray) -> bool:
    if (one.dtype, one.shape, _is_fortran(one)) != (other.dtype, other.shape, _is_fortran(other)):
        return False
    if one.dtype.kind == "O":
        return _are_same(one.ravel().tolist(), other.ravel().tolist())
    return one.tobytes() == other.tobytes()


def _is_fortran(array: np.ndarray) -> bool:
    return bool(array.flags.f_contiguous and not array.flags.c_contiguous)


def _is_array(value: object) -> TypeGuard[np.ndarray]:
    """Whether it is an array of numpy's own class: others can hold more than their digest knows."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def _are_same(ones: Iterable[object], others: Iterable[object]) -> bool:
    ones, others = list(ones), list(others)
    return len(ones) == len(others) and all(map(is_same, ones, others))


def _paired(values: dict[object, object], order: dict[object, object]) -> Iterable[object]:
    """The keys as they are in a dictionary, and their values, in the order of another with equal keys."""
    own = {key: key for key in values}
    for key in order:
        yield own[key]
        yield values[key]

"""Encodings of pandas' values; imported once one comes along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from treadle.cache.keys.encoding import Encoder, Encoding


def frame_encoder(kind: type) -> Encoder | None:
    """Return how values of a type of pandas' are encoded; None if there is no way."""
    for base, encoder in _ENCODERS:
        if issubclass(kind, base):
            return encoder
    return None


def _frame(value: pd.DataFrame, encoding: Encoding) -> None:
    encoding.add_class(b"\1", type(value))
    encoding.add_part(value.index, ".index")
    encoding.add_part(value.columns, ".columns")
    for position, name in enumerate(value.columns):
        encoding.add_part(value.iloc[:, position].array, f"[{name!r}]")
    _attributes(value, encoding)


def _series(value: pd.Series[Any], encoding: Encoding) -> None:
    encoding.add_class(b"\2", type(value))
    encoding.add_part(value.name, ".name")
    encoding.add_part(value.index, ".index")
    encoding.add_part(value.array, "")
    _attributes(value, encoding)


def _attributes(value: pd.DataFrame | pd.Series[Any], encoding: Encoding) -> None:
    """What is noted with the data, and what a subclass keeps with them."""
    encoding.add_part(value.attrs, ".attrs")
    encoding.add_part({name: getattr(value, name, None) for name in type(value)._metadata}, "._metadata")


def _index(value: pd.Index[Any], encoding: Encoding) -> None:
    encoding.add_class(b"\3", type(value))
    encoding.add_part(list(value.names), ".names")
    if isinstance(value, pd.MultiIndex):
        for level in range(value.nlevels):
            encoding.add_part(value.get_level_values(level).array, f".levels[{level}]")
    elif isinstance(value, pd.RangeIndex):
        encoding.add((value.start, value.stop, value.step))
    else:
        encoding.add_part(value.array, "")


def _extension_array(value: Any, encoding: Encoding) -> None:
    """Elements under the name of their type: as numpy has them where it can, else one by one."""
    encoding.add_text(b"\4", str(value.dtype))
    if isinstance(value, pd.Categorical):
        encoding.add_part(np.asarray(value.codes), ".codes")
        encoding.add_part(value.categories, ".categories")
        encoding.add(value.ordered)
    elif (isinstance(value.dtype, np.dtype) and value.dtype.kind in "mM") or isinstance(
        value.dtype, pd.DatetimeTZDtype | pd.PeriodDtype
    ):
        encoding.add_part(np.asarray(value.asi8), "")
    elif isinstance(value.dtype, np.dtype):
        encoding.add_part(value.to_numpy(), "")
    else:
        encoding.add_part(value.to_numpy(dtype=object).tolist(), "")


def _timestamp(value: pd.Timestamp, encoding: Encoding) -> None:
    encoding.parts.append(b"\5")
    encoding.add((value.isoformat(), value.unit, value.fold, None if value.tzinfo is None else str(value.tz)))


def _timedelta(value: pd.Timedelta, encoding: Encoding) -> None:
    encoding.parts.append(b"\6")
    encoding.add((int(value.asm8.astype("i8")), value.unit))


def _period(value: pd.Period, encoding: Encoding) -> None:
    encoding.parts.append(b"\7")
    encoding.add((value.ordinal, value.freqstr))


def _interval(value: pd.Interval[Any], encoding: Encoding) -> None:
    encoding.parts.append(b"\x08")
    encoding.add((value.left, value.right, value.closed))


def _missing(value: object, encoding: Encoding) -> None:
    encoding.add_class(b"\x0b", type(value))


_ENCODERS: tuple[tuple[type, Encoder], ...] = (
    (type(pd.NaT), _missing),
    (type(pd.NA), _missing),
    (pd.DataFrame, _frame),
    (pd.Series, _series),
    (pd.Index, _index),
    (pd.api.extensions.ExtensionArray, _extension_array),
    (pd.Timestamp, _timestamp),
    (pd.Timedelta, _timedelta),
    (pd.Period, _period),
    (pd.Interval, _interval),
)

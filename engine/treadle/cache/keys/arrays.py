"""Encodings of numpy's arrays and scalars; imported once a value of numpy's comes along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from treadle.cache.keys.builtins import encode_attributes
from treadle.cache.keys.encoding import Encoder, Encoding, Refused

_Array = np.ndarray[Any, np.dtype[Any]]


def array_encoder(kind: type) -> Encoder | None:
    """Return how values of a type of numpy's are encoded; None if there is no way."""
    if kind is np.ndarray:
        return _array
    return next((encoder for base, encoder in _encoders() if issubclass(kind, base)), None)


def _encoders() -> Iterator[tuple[type, Encoder]]:
    """Yield encoders by base, the nearest first; parts of numpy that nobody imported have no values here."""
    if "numpy.ma" in sys.modules:
        yield np.ma.MaskedArray, _masked
    yield from _ENCODERS
    if "numpy.random" in sys.modules:
        for base in (np.random.Generator, np.random.RandomState, np.random.BitGenerator):
            yield base, _random


def _array(value: _Array, encoding: Encoding) -> None:
    """Element type, shape, and elements in C order: how they lie in memory does not count."""
    encoding.parts.append(b"a")
    encoding.add((_dtype_text(value.dtype), value.shape))
    _elements(value, encoding)


def _elements(value: _Array, encoding: Encoding) -> None:
    if value.dtype.names is not None:
        for name in value.dtype.names:
            encoding.add_part(np.asarray(value[name]), f"[{name!r}]")
    elif value.dtype.hasobject or value.dtype.kind == "T":
        encoding.add_part(value.ravel(order="C").tolist(), "")
    else:
        encoding.add_bytes(b"b", np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)


def _dtype_text(dtype: np.dtype[Any]) -> str:
    """Return what tells an element type; padding between fields does not count."""
    if dtype.names is not None:
        return "{" + ",".join(f"{name!r}:{_dtype_text(dtype[name])}" for name in dtype.names) + "}"
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return f"({_dtype_text(base)},{shape})"
    return str(dtype) if dtype.kind == "T" else dtype.str


def _array_of_class(value: _Array, encoding: Encoding) -> None:
    """An array with what its class adds, such as a unit; of a mapped file it does not count where it lies."""
    encoding.add_class(b"j", type(value))
    _array(value.view(np.ndarray), encoding)
    if not isinstance(value, np.memmap):
        encode_attributes(value, encoding)


def _masked(value: np.ma.MaskedArray[Any, Any], encoding: Encoding) -> None:
    """What lies under the mask does not count."""
    mask = np.ma.getmaskarray(value)
    encoding.add_class(b"y", type(value))
    encoding.add_part(np.where(mask, np.zeros((), value.dtype), value.data), "")
    encoding.add_part(mask, ".mask")
    encoding.add_part(value.fill_value, ".fill_value")


def _scalar(value: np.generic, encoding: Encoding) -> None:
    encoding.parts.append(b"g")
    _array(np.asarray(value), encoding)


def _dtype(value: np.dtype[Any], encoding: Encoding) -> None:
    encoding.add_text(b"w", _dtype_text(value))


def _ufunc(value: np.ufunc, encoding: Encoding) -> None:
    if getattr(np, value.__name__, None) is not value:
        raise Refused("it is no function of numpy's own")
    encoding.add_text(b"V", value.__name__)


def _random(value: Any, encoding: Encoding) -> None:
    """A generator by its state."""
    state = value.get_state(legacy=False) if hasattr(value, "get_state") else None
    bits = value.bit_generator.state if hasattr(value, "bit_generator") else getattr(value, "state", None)
    encoding.add_class(b"R", type(value))
    encoding.add_part(state or bits, ".state")


_ENCODERS: tuple[tuple[type, Encoder], ...] = (
    (np.ndarray, _array_of_class),
    (np.generic, _scalar),
    (np.dtype, _dtype),
    (np.ufunc, _ufunc),
)

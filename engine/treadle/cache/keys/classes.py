"""Encodings of instances: dataclasses, attrs and pydantic, named tuples, exceptions."""

from __future__ import annotations

import dataclasses
from typing import Any

from treadle.cache.keys.builtins import CONTAINERS, SCALARS, encode_attributes, encode_sequence
from treadle.cache.keys.encoding import Encoder, Encoding, Refused


def class_encoder(kind: type) -> Encoder | None:
    """Return how instances of a class with declared fields are encoded; None if it declares none."""
    if any("__pydantic_fields__" in vars(base) for base in kind.__mro__):
        return _pydantic
    if issubclass(kind, (*CONTAINERS, *SCALARS)):  # the content of others counts, with fields as attributes
        return _named_tuple if issubclass(kind, tuple) and hasattr(kind, "_fields") else None
    if hasattr(kind, "__attrs_attrs__"):
        return _attrs
    if dataclasses.is_dataclass(kind):
        return _dataclass
    return _exception if issubclass(kind, BaseException) else None


def _fields(value: object, names: list[str], encoding: Encoding) -> None:
    with encoding.inside(value):
        encoding.add_class(b"k", type(value))
        encoding.add_number(len(names))
        for name in names:
            if not hasattr(value, name):
                raise Refused("it is not set").within(f".{name}")
            encoding.add(name)
            encoding.add_part(getattr(value, name), f".{name}")


def _dataclass(value: Any, encoding: Encoding) -> None:
    _fields(value, [field.name for field in dataclasses.fields(value)], encoding)


def _attrs(value: Any, encoding: Encoding) -> None:
    _fields(value, [field.name for field in type(value).__attrs_attrs__], encoding)


def _pydantic(value: Any, encoding: Encoding) -> None:
    _fields(value, list(type(value).__pydantic_fields__), encoding)
    extra = getattr(value, "__pydantic_extra__", None)
    private = getattr(value, "__pydantic_private__", None)
    encoding.add_part(extra, "")
    encoding.add_part(private, "")


def _named_tuple(value: Any, encoding: Encoding) -> None:
    encoding.add_class(b"v", type(value))
    encode_sequence(b"t", value, encoding)
    encode_attributes(value, encoding)


def _exception(value: BaseException, encoding: Encoding) -> None:
    """Add an exception by what it pickles to: some keep more than their arguments."""
    encoding.add_class(b"X", type(value))
    reduced: Any = value.__reduce__()
    encoding.add_part(reduced[1], ".args")
    encoding.add_part((reduced[2] if len(reduced) > 2 else None) or {}, ".__dict__")

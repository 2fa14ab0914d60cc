"""fleche's digest of a value, to find what fleche has recorded.

It is not injective: `treadle.cache.fleche.injective` says where it can be relied upon. SHA-256 over the name
of the type and then its content, in which every child stands as its hexadecimal digest; a digest is its own.
"""

from __future__ import annotations

import cmath
import dataclasses
import datetime
import numbers
import struct
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeGuard

from treadle.cache.fleche.digest_code import code_content, function_content, method_content
from treadle.cache.fleche.digest_pandas import is_pandas, pandas_content
from treadle.cache.fleche.digest_parts import class_name, mapping_content
from treadle.cache.fleche.records import OldDigest
from treadle.cache.keys.hooks import find_hook
from treadle.errors import Indigestible

if TYPE_CHECKING:
    import numpy as np


def digest_of(value: object) -> OldDigest:
    """Return what fleche 0.22 calls a value.

    Raises:
        Indigestible: fleche has no digest for it, or would have to use it up.
    """
    try:
        return OldDigest(hex_of(value).decode())
    except RecursionError as error:
        raise Indigestible(f"A {type(value).__name__} contains itself, or is nested too deeply.") from error


def call_key(
    name: str,
    arguments: Mapping[str, object],
    *,
    module: str | None,
    version: int | str | None,
    code: OldDigest | None = None,
) -> OldDigest:
    """Return the key under which fleche 0.22 records a call.

    Args:
        name: The function's qualified name.
        arguments: Values or their digests by name, in the order of the signature.
        module: The function's module; None where it is no part of the key.
        version: The function's version; None where it is no part of the key, or has none.
        code: fleche's digest of the function; None where it is no part of the key.

    Raises:
        Indigestible: fleche has no digest for an argument.
    """
    fields = {
        "name": name,
        "arguments": tuple(arguments.items()),
        "metadata": None,
        "module": module,
        "version": version,
        "code_digest": code,
        "result": None,
    }
    return digest_of(_Salted("Call", (fields,)))


@dataclasses.dataclass(frozen=True, slots=True)
class _Salted:
    """Children under a name that is not that of their type."""

    salt: str
    children: tuple[object, ...]


def hex_of(value: object) -> bytes:
    """The digest's hexadecimal characters, as they enter a parent; errors are those of `digest_of`."""
    if isinstance(value, OldDigest):
        return value.encode()
    if isinstance(value, _Salted):
        return _finish(value.salt, *map(hex_of, value.children))
    kind = type(value)
    hook = None if kind.__module__ == "builtins" else find_hook(kind)
    if hook is not None:
        return str(hook(value)).encode()
    if hasattr(kind, "__digest__"):
        return str(kind.__digest__(value)).encode()
    whole = _whole(value)
    return whole if whole is not None else _finish(kind.__name__, *_content(value))


def _whole(value: object) -> bytes | None:
    """The digest of what is digested as something else: as an integer, a class's name, a function's parts."""
    if isinstance(value, numbers.Number) and not isinstance(value, int) and not _is_nan(value):
        return hex_of(hash(value))
    if isinstance(value, types.FunctionType):
        return function_content(value, hex_of)
    if isinstance(value, type) and value.__module__ == "builtins":
        return class_name(value, hex_of)
    if _is_numpy_bool(value):
        return hex_of(bool(value))
    return None


def _content(value: object) -> Iterable[bytes]:
    """What follows the type's name."""
    for kind, content in _RULES:
        if isinstance(value, kind):
            return content(value)
    if _is_array(value):
        return _array(value)
    if is_pandas(value):
        return pandas_content(value, hex_of)
    return _fields(value)


def _fields(value: object) -> Iterable[bytes]:
    """The content of what is made of others' values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return (hex_of({each.name: getattr(value, each.name) for each in dataclasses.fields(value)}),)
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if attributes is not None:
        return (hex_of({each.name: getattr(value, each.name) for each in attributes}),)
    if isinstance(value, types.ModuleType):
        names = getattr(value, "__all__", None) or dir(value)
        return mapping_content({name: getattr(value, name) for name in names}, hex_of)
    if isinstance(value, Mapping):
        return mapping_content(value, hex_of)
    if isinstance(value, Iterable) and not isinstance(value, Iterator):
        return map(hex_of, value)
    raise Indigestible(f"fleche's digest has no rule for a {type(value).__name__}.")


def _array(value: np.ndarray) -> Iterable[bytes]:
    yield hex_of(value.dtype.str)
    yield hex_of(value.shape)
    if value.dtype.names is not None:
        for name in value.dtype.names:
            yield hex_of(name)
            yield hex_of(value[name])
    elif value.dtype.hasobject:
        yield from map(hex_of, value.ravel().tolist())
    else:
        yield value.tobytes()


def _is_nan(value: object) -> bool:
    try:
        return cmath.isnan(value)  # type: ignore[arg-type]  # whatever can be made a complex number
    except (TypeError, ValueError, OverflowError) as error:
        raise Indigestible(
            f"fleche's digest has no rule for a {type(value).__name__} like {value!r}."
        ) from error


def _packed(nan: object) -> bytes:
    if isinstance(nan, numbers.Complex):
        return struct.pack("<dd", nan.real, nan.imag)
    return struct.pack("<d", nan)


def _is_array(value: object) -> TypeGuard[np.ndarray]:
    if "numpy" not in sys.modules:
        return False
    import numpy as np

    return isinstance(value, np.ndarray)


def _is_numpy_bool(value: object) -> bool:
    if "numpy" not in sys.modules:
        return False
    import numpy as np

    return isinstance(value, np.bool_)


_RULES: tuple[tuple[type, Callable[[Any], Iterable[bytes]]], ...] = (
    (int, lambda value: (value.to_bytes((value.bit_length() + 8) // 8, "little", signed=True),)),
    (str, lambda value: (value.encode(),)),
    (types.NoneType, lambda _: (b"__None__",)),
    (numbers.Number, lambda value: (_packed(value),)),
    (bytes, lambda value: (value,)),
    (types.MethodType, lambda value: method_content(value, hex_of)),
    (types.CodeType, lambda value: (hex_of(code_content(value)),)),
    (datetime.timezone, lambda value: (hex_of(value.utcoffset(None)),)),
    (datetime.timedelta, lambda value: (hex_of(value.total_seconds()),)),
    (datetime.date, lambda value: (value.isoformat().encode(),)),
    (datetime.time, lambda value: (value.isoformat().encode(),)),
    (staticmethod, lambda value: (hex_of(value.__func__),)),
    (classmethod, lambda value: (hex_of(value.__func__),)),
    (property, lambda value: (hex_of((value.fget, value.fset, value.fdel)),)),
)
"""What follows the type's name, by type: the first that fits. Of numbers only ints and NaN come here."""


def _finish(salt: str, *content: bytes) -> bytes:
    digest = sha256(salt.encode())
    for part in content:
        digest.update(part)
    return digest.hexdigest().encode()

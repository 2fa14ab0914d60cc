"""fleche's digest of functions: their bytecode, and what is bound to them.

Bytecode differs between minor versions of Python, and so do these digests.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Iterable
from hashlib import sha256
from typing import cast

from treadle.cache.fleche.digest_parts import Hex, class_name, mapping_content

_walk = threading.local()


def code_content(code: types.CodeType) -> tuple[object, ...]:
    """What of a code object counts."""
    parts = (
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags,
    )
    return (*parts, code.co_exceptiontable)


def function_content(function: types.FunctionType, hex_of: Hex) -> bytes:
    """The digest of a function; that of its code alone, if nothing is bound to it."""
    own = getattr(function, "__digest__", None)
    if own is not None:
        return str(own()).encode()
    if not (function.__closure__ or function.__defaults__ or function.__kwdefaults__):
        return hex_of(function.__code__)
    depths: dict[int, int] = _walk.__dict__.setdefault("depths", {})
    if id(function) in depths:
        return hex_of(("__fleche_recursive_function__", len(depths) - depths[id(function)]))
    depths[id(function)] = len(depths)
    try:
        digest = sha256(b"__fleche_captured__")
        for part in _captured(function, hex_of):
            digest.update(part)
        return digest.hexdigest().encode()
    finally:
        del depths[id(function)]


def method_content(method: types.MethodType, hex_of: Hex) -> Iterable[bytes]:
    """A bound method's receiver and function."""
    yield hex_of("__self__")
    yield (
        class_name(method.__self__, hex_of) if isinstance(method.__self__, type) else hex_of(method.__self__)
    )
    yield function_content(cast(types.FunctionType, method.__func__), hex_of)


def _captured(function: types.FunctionType, hex_of: Hex) -> Iterable[bytes]:
    yield hex_of(function.__code__)
    if function.__closure__:
        yield hex_of("__closure__")
        for name, cell in zip(function.__code__.co_freevars, function.__closure__, strict=False):
            yield hex_of(name)
            yield _cell(name, cell, hex_of)
    if function.__defaults__:
        yield hex_of("__defaults__")
        yield hex_of(function.__defaults__)
    if function.__kwdefaults__:
        yield hex_of("__kwdefaults__")
        yield from mapping_content(function.__kwdefaults__, hex_of)


def _cell(name: str, cell: types.CellType, hex_of: Hex) -> bytes:
    try:
        contents = cell.cell_contents
    except ValueError:  # not bound yet
        return hex_of("__fleche_empty_cell__")
    if name == "__class__" and isinstance(contents, type):
        return class_name(contents, hex_of)
    return hex_of(contents)

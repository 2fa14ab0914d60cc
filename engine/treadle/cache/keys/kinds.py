"""How values of a type are encoded that has no encoder of its own yet.

What can only be read once, or is something of this process alone, is refused by its type, before anything of
it is touched.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from enum import Enum
from types import FrameType, TracebackType
from typing import Any

from treadle.cache.keys import builtins, classes, functions, standard
from treadle.cache.keys.encoding import ENCODERS, Encoder, Encoding, Refused
from treadle.cache.keys.hooks import hook_encoder

_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Event)
_REFUSED: tuple[tuple[tuple[type, ...], str], ...] = (
    ((io.IOBase,), "it is an open file"),
    ((Iterator, AsyncIterator), "it can be read only once, and reading it here would empty it"),
    ((Coroutine,), "it has not been awaited"),
    ((socket.socket,), "it is an open connection"),
    ((Future,), "its result is not there yet"),
    (_LOCKS, "it is a lock, which this process alone has"),
    ((FrameType, TracebackType), "it is a frame of this process"),
)


def find_encoder(kind: type) -> Encoder:
    """Return how values of a type are encoded.

    Raises:
        Refused: Values of the type have no key.
    """
    return ENCODERS.get(kind) or _find(kind)  # some are known since this module was imported


def _find(kind: type) -> Encoder:
    known = hook_encoder(kind)
    if known is not None:
        return known
    for types, reason in _REFUSED:
        if issubclass(kind, types):
            raise Refused(f"{_article(kind)}, and {reason}")
    if hasattr(kind, "_asyncio_future_blocking"):
        raise Refused(f"{_article(kind)}, and its result is not there yet")
    found = _by_library(kind) or _by_base(kind) or classes.class_encoder(kind) or _by_content(kind)
    if found is None:
        raise Refused(f"nothing says what tells one {kind.__module__}.{kind.__qualname__} from another")
    return found


def _article(kind: type) -> str:
    return f"it is of type {kind.__qualname__}"


def _by_library(kind: type) -> Encoder | None:
    """Return how values of numpy's and pandas' types are encoded; neither is imported for it."""
    roots = {base.__module__.partition(".")[0] for base in kind.__mro__}
    if "pandas" in roots:
        from treadle.cache.keys import frames

        return frames.frame_encoder(kind)
    if "numpy" in roots:
        from treadle.cache.keys import arrays

        return arrays.array_encoder(kind)
    return None


def _by_base(kind: type) -> Encoder | None:
    """Return how values of subclasses of the standard library's types are encoded."""
    if issubclass(kind, Enum):
        return standard.encode_enum
    for base, encoder in (*functions.BASES, *standard.BASES):
        if issubclass(kind, base):
            return encoder
    return None


def _by_content(kind: type) -> Encoder | None:
    """Return how values of a subclass of a builtin type are encoded: class, content and attributes."""
    for base in (*builtins.CONTAINERS, *builtins.SCALARS):
        if issubclass(kind, base) and kind is not base:
            return _subclass_encoder(base)
    return None


def _subclass_encoder(base: type) -> Encoder:
    inner = ENCODERS[base]

    def encode(value: Any, encoding: Encoding) -> None:
        encoding.add_class(b"u", type(value))
        inner(value, encoding)
        builtins.encode_attributes(value, encoding)

    return encode

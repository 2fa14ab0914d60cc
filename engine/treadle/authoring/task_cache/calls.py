"""What is shared by key, lock and result of a task run: the cache in use, and what the call is called."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from treadle.cache.active import get_cache
from treadle.cache.caches.base import BaseCache
from treadle.cache.keys import Digest, digest_of
from treadle.cache.records import Argument, SealedCall

REMEMBERED = 4096
"""Calls of which is remembered, from their key to their result, what they are."""


@dataclass(frozen=True, slots=True)
class NamedCall:
    """What a record says of a call besides its result; fields are those of `CallRecord`."""

    name: str
    module: str | None
    version: int | str | None
    code: Digest | None
    arguments: tuple[Argument, ...]

    @classmethod
    def of(cls, call: SealedCall) -> NamedCall:
        """Take it from a call; its arguments themselves are not held."""
        arguments = tuple(Argument(name, part) for name, part in call.parts.items())
        return cls(call.name, call.module, call.version, call.code, arguments)


_named: OrderedDict[str, NamedCall] = OrderedDict()
_lock = threading.Lock()


def open_cache(name: str | None) -> BaseCache:
    """Return the cache of that name, or the one in use.

    Raises:
        SettingsInvalid: The configuration is broken, or has none of that name.
    """
    if name is None:
        return get_cache()
    from treadle.cache.config.loading import load

    return load(name)


def digest_for(kind: str, path: str) -> Digest:
    """Return what something of a task run is found by: its key, its result or its lock."""
    return digest_of(("treadle.prefect", kind, path))


def remember(path: str, call: SealedCall) -> None:
    """Note what the call is whose result will be written to a path."""
    with _lock:
        _named[path] = NamedCall.of(call)
        _named.move_to_end(path)
        while len(_named) > REMEMBERED:
            _named.popitem(last=False)


def remembered(path: str) -> NamedCall:
    """Return what the call is of a path; where nobody knows, the path is its name."""
    with _lock:
        return _named.get(path) or NamedCall(path, None, None, None, ())

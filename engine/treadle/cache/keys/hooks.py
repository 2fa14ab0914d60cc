"""How classes say themselves what their values' keys are made of.

A class may have a method `__digest__` that returns something that has a key, or a function may be registered
for it, here or by an entry point of the group `treadle.cache` or `fleche` with the name `digest`. What they
return enters the key together with the class.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from treadle.cache.keys.encoding import ENCODERS, Encoder, Encoding, module_name, refusal
from treadle.errors import UsageError

Hook = Callable[[Any], object]

_logger = logging.getLogger("treadle.cache")
_GROUPS = ("treadle.cache", "fleche")
_hooks: dict[type, Hook] = {}


def add_hook(kind: type | object, hook: Hook | None = None) -> None:
    """Have the values of a class, and of its subclasses, digested by a function.

    Args:
        kind: The class; or class and function in one, as a pair or as an object with `type` and `digest`.
        hook: Returns something that has a key and is equal for equal values; the class is added to it.

    Raises:
        UsageError: There is no class, or no function for it.
    """
    try:
        given = [(kind, hook)] if isinstance(kind, type) and hook is not None else [*_pairs(kind)]
    except AttributeError as error:
        raise UsageError(f"{kind!r} says no function.", remedy="Call add_hook(type, function).") from error
    for base, function in given:
        _hooks[base] = function
        for known in [known for known in ENCODERS if issubclass(known, base)]:
            del ENCODERS[known]


def find_hook(kind: type) -> Hook | None:
    """Return what was registered for a class, or for its nearest base; None if nothing was."""
    _load_entry_points()
    return next((_hooks[base] for base in kind.__mro__[:-1] if base in _hooks), None)


def hook_encoder(kind: type) -> Encoder | None:
    """Return how values of a class are encoded that has a hook, or whose base has one; else None."""
    _load_entry_points()
    for base in kind.__mro__[:-1]:
        if base in _hooks:
            return _encoder(_hooks[base])
        if "__digest__" in vars(base):
            return _encoder(_call_digest)
    return None


def _call_digest(value: Any) -> object:
    return value.__digest__()


def _encoder(hook: Hook) -> Encoder:
    def encode(value: object, encoding: Encoding) -> None:
        kind = type(value)
        encoding.add_text(b"h", f"{module_name(kind)}\0{kind.__qualname__}")
        try:
            told = hook(value)
        except Exception as error:
            raise refusal(error) from error
        encoding.add_part(told, ".__digest__()")

    return encode


@cache
def _load_entry_points() -> None:
    for group in _GROUPS:
        for entry_point in entry_points(group=group, name="digest"):
            try:
                for kind, hook in _pairs(entry_point.load()):
                    _hooks.setdefault(kind, hook)
            except Exception:
                _logger.warning("The hooks of %s cannot be used.", entry_point.value, exc_info=True)


def _pairs(loaded: object) -> Iterator[tuple[type, Hook]]:
    """Yield what an entry point gives: a pair, a hook with its type, or several of either."""
    if isinstance(loaded, tuple) and len(loaded) == 2 and isinstance(loaded[0], type):
        yield loaded[0], loaded[1]
    elif isinstance(loaded, Iterable):
        for one in loaded:
            yield from _pairs(one)
    else:
        hook: Any = loaded
        yield hook.type, hook.digest

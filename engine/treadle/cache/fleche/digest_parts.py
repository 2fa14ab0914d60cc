"""What fleche's digests of several kinds of values share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Hex = Callable[[object], bytes]
"""The digest of a child, as the hexadecimal characters that enter its parent."""


def mapping_content(contents: Mapping[Any, object], hex_of: Hex) -> Iterable[bytes]:
    """Keys and values, by the digests of the keys: their order does not count."""
    pairs = sorted(((hex_of(key), value) for key, value in contents.items()), key=lambda pair: pair[0])
    for key, value in pairs:
        yield key
        yield hex_of(value)


def class_name(kind: type, hex_of: Hex) -> bytes:
    """A class by its name."""
    return hex_of(f"{kind.__module__}.{kind.__qualname__}")

"""Compression of stored values, by name."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from treadle.cache.damage import Damaged
from treadle.errors import UnknownName

Bytes = bytes | bytearray | memoryview
"""Bytes in any form."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to make bytes fewer.

    Attributes:
        name: What stands in the envelope.
        compress: Makes them fewer.
        decompress: Makes them again what they were; it is told how many to make at most.
    """

    name: str
    compress: Callable[[Bytes], bytes]
    decompress: Callable[[Bytes, int], bytes]


def _inflate(data: Bytes, limit: int) -> bytes:
    return zlib.decompressobj().decompress(data, limit)


def _unpack(data: Bytes, limit: int) -> bytes:
    return lzma.LZMADecompressor().decompress(data, limit)


def _deflate(data: Bytes) -> bytes:
    return zlib.compress(data, 1)


def _pack(data: Bytes) -> bytes:
    return lzma.compress(data, preset=1)


ZLIB = Compression("zlib", _deflate, _inflate)
LZMA = Compression("lzma", _pack, _unpack)
_KNOWN = {known.name: known for known in (ZLIB, LZMA)}


def compression(choice: bool | str) -> Compression | None:
    """Return the compression of that name; zlib for true, none for false.

    Raises:
        UnknownName: None has that name.
    """
    if isinstance(choice, bool):
        return ZLIB if choice else None
    if choice not in _KNOWN:
        names = " and ".join(_KNOWN)
        raise UnknownName(f"There is no compression named {choice!r}.", remedy=f"There are {names}.")
    return _KNOWN[choice]


def decompress(name: str, data: Bytes, length: int) -> bytes:
    """Make bytes again what they were.

    Args:
        name: The compression.
        data: The bytes.
        length: How many they were; whatever the data claim, hardly more are made.

    Raises:
        Damaged: They are no such bytes, or were more or fewer.
    """
    if name not in _KNOWN:
        raise Damaged(f"Its compression is unknown: {name}.")
    try:
        whole = _KNOWN[name].decompress(data, length + 1)
    except (zlib.error, lzma.LZMAError) as error:
        raise Damaged(f"It cannot be decompressed: {error}.") from error
    if len(whole) != length:
        raise Damaged(f"It decompresses to other than {length} bytes.")
    return whole

"""Messages between this machine and the one that has the cache.

A message is four bytes with the length of a header, in big-endian order, the header, a JSON object, and as
many raw bytes as its `bytes` say. Values and records travel in the envelopes that storages keep them in, so
whoever receives one verifies it by rules of its own.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treadle.cache.keys.digest import Digest
from treadle.errors import (
    AmbiguousKey,
    CacheError,
    CacheRefused,
    CacheUnavailable,
    NotCached,
    TreadleError,
    Unstorable,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

PROTOCOL = 1

GREETING = b"\x00treadle-cache\x00"
"""What the server says first; whatever stands before it was said by the shell there."""

Bytes = bytes | bytearray

_LENGTH = struct.Struct(">I")
_LONGEST_HEADER = 64 << 20
_ERRORS: Mapping[str, type[CacheError]] = {
    kind.__name__: kind for kind in (AmbiguousKey, CacheRefused, CacheUnavailable, NotCached, Unstorable)
}


class Malformed(CacheUnavailable):
    """What came is no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A question, or the answer to one.

    Attributes:
        header: Its words.
        body: Envelopes, one after the other.
    """

    header: Mapping[str, JsonValue]
    body: Sequence[Bytes] = field(default=())

    def text(self, name: str) -> str:
        """Return a word that has to be there."""
        value = self.header.get(name)
        if not isinstance(value, str):
            raise Malformed(f"A message has no {name}.")
        return value

    def number(self, name: str) -> float:
        """Return a number that has to be there."""
        value = self.header.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Malformed(f"A message has no number {name}.")
        return value

    def digest(self, name: str) -> Digest:
        """Return a digest that has to be there."""
        return parse_digest(self.text(name))

    def digests(self, name: str) -> list[Digest]:
        """Return digests; none if the word is missing."""
        value = self.header.get(name) or []
        if not isinstance(value, list):
            raise Malformed(f"{name} of a message is no list.")
        return [parse_digest(text) for text in value]


def parse_digest(text: object) -> Digest:
    """Read a digest that came.

    Raises:
        Malformed: It is none.
    """
    try:
        return Digest.parse(str(text))
    except ValueError as error:
        raise Malformed(f"A message has a wrong digest: {error}.") from error


def encode(message: Message) -> list[Bytes]:
    """Return the bytes of a message, in parts."""
    lengths: list[JsonValue] = [len(part) for part in message.body]
    header = json.dumps({**message.header, "bytes": lengths}, separators=(",", ":")).encode()
    return [_LENGTH.pack(len(header)), header, *message.body]


def decode(read: Callable[[int], bytes]) -> Message:
    """Read a message.

    Args:
        read: Returns so many bytes, never fewer.

    Raises:
        Malformed: It is none.
    """
    (length,) = _LENGTH.unpack(read(_LENGTH.size))
    if length > _LONGEST_HEADER:
        raise Malformed("A message is longer than any can be: it does not come from Treadle.")
    try:
        header = json.loads(read(length))
        lengths = header.pop("bytes")
        sizes = [size for size in lengths if type(size) is int and size >= 0]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Malformed(f"A message cannot be read: {error!r}.") from error
    if len(sizes) != len(lengths):
        raise Malformed("A message has parts of no length.")
    return Message(header, [read(size) for size in sizes])


def error_message(error: CacheError) -> Message:
    """Return the answer that says what went wrong; no stack, no object."""
    kind = next(
        base.__name__ for base in type(error).__mro__ if base.__name__ in _ERRORS or base is CacheError
    )
    words: dict[str, JsonValue] = {"kind": kind, "what": error.what, "remedy": error.remedy}
    return Message({"error": words})


def raise_error(answer: Message) -> None:
    """Raise the error that an answer tells of, if it does."""
    error = answer.header.get("error")
    if error is None:
        return
    words = error if isinstance(error, dict) else {}
    kind: type[TreadleError] = _ERRORS.get(str(words.get("kind")), CacheUnavailable)
    raise kind(str(words.get("what", "It says nothing.")), remedy=str(words.get("remedy", "")))

"""The encoding that digests are made of, scheme `v1`: typed, length-prefixed, and so injective.

Every value becomes one byte that names its kind, then either bytes with their length before them or children
with their number before them. No encoding is the beginning of another, so equal bytes mean equal values of
equal types. Orders that carry no meaning, those of sets and dicts, are replaced by the order of the digests.

How values of a type are encoded is a function of that type's in `ENCODERS`. This module knows no type: those
that do fill the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from treadle.cache.keys.digest import Digest
from treadle.errors import Indigestible
from treadle.scripts import is_script

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEME = "v1"
_PREFIX = b"treadle.cache v1\0"

Encoder = Callable[[Any, "Encoding"], None]
"""Adds a value of one type to an encoding."""


class Encoders(dict[type, Encoder]):
    """How values of exactly these types are encoded.

    Attributes:
        find: Returns how values of a type are encoded that is not here yet, or raises Refused.
    """

    find: Callable[[type], Encoder]

    def __missing__(self, kind: type) -> Encoder:
        encoder = self[kind] = self.find(kind)
        return encoder


ENCODERS = Encoders()

_REMEDY = (
    "Leave it out of the key (ignore=...), pass something that tells it, such as a path or a list, give its "
    "class a method __digest__, or register one: treadle.cache.add_hook(type, function)."
)


class Refused(Exception):
    """A value has no key; `place` says where in the whole it stands.

    It never leaves this room: `digest_of` and `seal` make `Indigestible` of it.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = ""

    def within(self, place: str) -> Refused:
        """Note that this happened in a part of the whole."""
        self.place = place + self.place
        return self

    def as_error(self, whole: str) -> Indigestible:
        """Say it to the user; `whole` names the value that was to be digested."""
        return Indigestible(f"{whole}{self.place} has no key: {self.reason}.", remedy=_REMEDY)


def refusal(error: Exception) -> Refused:
    """Return why a value has no key whose own code raised something else."""
    if isinstance(error, RecursionError):
        return Refused("it is nested too deeply")
    return Refused(f"asking it failed with {type(error).__name__}: {error}")


def module_name(made: Any) -> str:
    """Return the module of a function or class; a script's is the same in each process that has it."""
    name = str(made.__module__ or "")
    return "__main__" if is_script(name) else name


class Encoding:
    """What has been encoded so far of one value."""

    __slots__ = ("_open", "parts")

    def __init__(self) -> None:
        self.parts: list[bytes | memoryview] = []
        self._open: set[int] = set()

    def add(self, value: object) -> None:
        """Encode a value.

        Raises:
            Refused: It has no key.
        """
        ENCODERS[type(value)](value, self)

    def add_part(self, value: object, place: str) -> None:
        """Encode a part of a value; `place` is where it stands, such as `.name` or `[3]`."""
        try:
            self.add(value)
        except Refused as refused:
            raise refused.within(place) from None

    def add_bytes(self, tag: bytes, data: bytes | memoryview) -> None:
        """Add bytes of a kind, their length before them."""
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        self.parts.append(tag + size.to_bytes(8, "little"))
        self.parts.append(data)

    def add_text(self, tag: bytes, text: str) -> None:
        """Add text of a kind."""
        self.add_bytes(tag, text.encode("utf-8", "surrogatepass"))

    def add_number(self, number: int) -> None:
        """Add a number that is not negative and less than 2**64: how many children follow."""
        self.parts.append(number.to_bytes(8, "little"))

    def add_digests(self, tag: bytes, digests: Iterable[bytes]) -> None:
        """Add digests of a kind, their number before them."""
        raw = b"".join(digests)
        self.parts.append(tag + (len(raw) // 32).to_bytes(8, "little"))
        self.parts.append(raw)

    def add_class(self, tag: bytes, cls: type) -> None:
        """Add what tells a class from all others: its module and its qualified name.

        Raises:
            Refused: It was made within a function, where each call makes another.
        """
        if "<locals>" in cls.__qualname__ and cls.__module__ != "builtins":
            raise Refused(f"its class {cls.__qualname__} was made within a function")
        self.add_text(tag, f"{module_name(cls)}\0{cls.__qualname__}")

    def raw_digest(self, value: object) -> bytes:
        """Return the digest of a part, encoded for itself."""
        part = Encoding()
        part._open = self._open
        part.add(value)
        return part.finish()

    @contextmanager
    def inside(self, container: object) -> Iterator[None]:
        """Encode the children of a container.

        Raises:
            Refused: It contains itself.
        """
        number = id(container)
        if number in self._open:
            raise Refused("it contains itself")
        self._open.add(number)
        try:
            yield
        finally:
            self._open.discard(number)

    def finish(self) -> bytes:
        """Return the digest of what was encoded: 32 bytes."""
        small = b"".join(self.parts) if len(self.parts) < 64 and not self._has_large() else None
        if small is not None:
            return blake3(_PREFIX + small).digest()
        hasher = blake3(_PREFIX)
        for part in self.parts:
            hasher.update(part)
        return hasher.digest()

    def _has_large(self) -> bool:
        return any(len(part) > 4096 for part in self.parts)


def digest_of(value: object, whole: str = "The value") -> Digest:
    """Return the digest of a value: the same in every process, on every machine.

    Args:
        value: The value.
        whole: What it is called in an error.

    Raises:
        Indigestible: It has no key.
    """
    encoding = Encoding()
    try:
        encoding.add(value)
        return Digest(encoding.finish().hex())
    except Refused as refused:
        raise refused.as_error(whole) from None
    except Exception as error:  # a value's own code runs here
        raise refusal(error).as_error(whole) from error

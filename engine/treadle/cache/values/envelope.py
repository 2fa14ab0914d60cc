"""The envelope around whatever is stored: what it is, how long, and proof that it is what was written.

In order: a head of fixed length (magic, format twice, kind, whether it is signed, lengths, address, digest of
the payload), the names of serialiser and compression, the addresses of a split value's children, padding, a
BLAKE3 check of all this, an HMAC of it (zeros where there is no key), and the payload. The check binds the
payload to its address and length. All is verified before a byte is decompressed or unpickled, and children
are known without reading their parent.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from blake3 import blake3

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.values.compression import Bytes, Compression, decompress
from treadle.cache.values.keyring import SIGNATURE_BYTES, Keyring

FORMAT = 1
"""Version of the envelope. One of a higher version is left alone."""

_MAGIC = b"\x89treadle"
_HEAD = struct.Struct(">8s2sB?BBIIQQ32s32s")
_PREFIX = struct.Struct(">8s2sB?BBI")
_CHECK_BYTES = 32
_SEAL_BYTES = _CHECK_BYTES + SIGNATURE_BYTES
_UNSIGNED = bytes(SIGNATURE_BYTES)
_CONTEXT = b"treadle cache envelope"

BOUNDARY = 64
"""Where a payload may begin, so that arrays in it are aligned."""

HEADER_GUESS = 512
"""Bytes that hold the header of most things stored."""


class Kind(IntEnum):
    """What is in an envelope; one can never stand for the other."""

    VALUE = 1
    RECORD = 2


@dataclass(frozen=True, slots=True)
class Letter:
    """What an envelope holds, and what it says of it.

    Attributes:
        parts: The serialised bytes, in pieces.
        codec: Name of the serialiser.
        children: Addresses of the values that were split off.
    """

    parts: Sequence[Bytes]
    codec: str
    children: tuple[Digest, ...] = ()

    @property
    def payload(self) -> Bytes:
        """The serialised bytes in one piece."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    @property
    def length(self) -> int:
        """How many they are."""
        return sum(map(len, self.parts))

    def content(self) -> bytes:
        """Return the BLAKE3 digest of the serialised bytes, 32 bytes."""
        return _digest(self.parts)

    def address(self, content: bytes) -> Digest:
        """Return the digest of all that makes the value.

        Args:
            content: The digest of the serialised bytes.
        """
        name = self.codec.encode()
        children = (child.raw for child in self.children)
        tagged = (b"treadle value 1", bytes((len(name),)), name, content, *children)
        return Digest(blake3(b"".join(tagged)).hexdigest())


@dataclass(frozen=True, slots=True)
class _Header:
    size: int
    stored: int
    whole: int
    codec: str
    compression: str
    children: tuple[Digest, ...]
    content: bytes


def enclose(
    letter: Letter,
    kind: Kind,
    address: Digest,
    *,
    keyring: Keyring,
    compression: Compression | None = None,
    content: bytes | None = None,
    boundary: int = BOUNDARY,
) -> list[Bytes]:
    """Put something into an envelope.

    Args:
        letter: What to put in.
        kind: What it is.
        address: Address of the value, or key of the record.
        keyring: Signs it.
        compression: Used where it makes the payload shorter.
        content: BLAKE3 digest of the serialised bytes, if it is known.
        boundary: The payload begins after so many bytes, or twice as many, and so on.

    Returns:
        The header, and the pieces of the payload that follow it.
    """
    parts, packed_by, length = letter.parts, "", letter.length
    if compression is not None:
        packed = compression.compress(letter.payload)
        if len(packed) < length:
            parts, packed_by, content = (packed,), compression.name, None
    names = (letter.codec.encode(), packed_by.encode())
    variable = b"".join((*names, *(child.raw for child in letter.children)))
    size = boundary
    while size < _HEAD.size + len(variable) + _SEAL_BYTES:
        size *= 2
    head = _HEAD.pack(
        _MAGIC,
        bytes((FORMAT, FORMAT)),
        kind,
        bool(keyring),
        len(names[0]),
        len(names[1]),
        size,
        len(letter.children),
        sum(map(len, parts)),
        length,
        address.raw,
        _digest(parts) if content is None else content,
    )
    checked = (head + variable).ljust(size - _SEAL_BYTES, b"\0")
    signature = keyring.sign(_CONTEXT, checked) or _UNSIGNED
    return [b"".join((checked, blake3(checked).digest(), signature)), *parts]


def open_envelope(data: Bytes, kind: Kind, address: Digest, keyring: Keyring) -> Letter:
    """Take out what is in an envelope, once all of it is verified.

    Args:
        data: All bytes that were stored; what comes out may be a view of them.
        kind: What it has to be.
        address: What it has to be the value or record of.
        keyring: Verifies it; without keys, the checks alone have to do.

    Raises:
        Damaged: It is not what was written there, or is not signed with any of the keys.
        WrittenByNewer: It has a higher format.
    """
    header = _read_header(data, kind, address, keyring)
    payload = memoryview(data)[header.size :]
    if len(payload) != header.stored:
        raise Damaged(f"It has {len(payload)} bytes instead of {header.stored}.")
    if blake3(payload).digest() != header.content:
        raise Damaged("Its bytes were altered.")
    if header.compression:
        whole: Bytes = bytearray(decompress(header.compression, payload, header.whole))
    else:
        whole = payload
    return Letter((whole,), header.codec, header.children)


def children_in(head: bytes, address: Digest, keyring: Keyring) -> tuple[Digest, ...]:
    """Return a value's children from its header alone; errors are those of `open_envelope`.

    Args:
        head: The stored bytes, at least `header_size` of them.
        address: As for `open_envelope`.
        keyring: As for `open_envelope`.
    """
    return _read_header(head, Kind.VALUE, address, keyring).children


def header_size(head: bytes) -> int:
    """Return how long the header is, from its first `HEADER_GUESS` bytes; 0 if it is none."""
    if len(head) < _PREFIX.size or not head.startswith(_MAGIC):
        return 0
    size: int = _PREFIX.unpack_from(head)[-1]
    return size


def _read_header(data: Bytes, kind: Kind, address: Digest, keyring: Keyring) -> _Header:
    if len(data) < _HEAD.size + _SEAL_BYTES:
        raise Damaged("It is cut short.")
    (
        magic,
        version,
        its_kind,
        is_signed,
        codec_length,
        packing_length,
        size,
        count,
        stored,
        whole,
        its_address,
        content,
    ) = _HEAD.unpack_from(data)
    if magic != _MAGIC or version[0] != version[1]:
        raise Damaged("It is no envelope.")
    if version[0] > FORMAT:
        raise WrittenByNewer(f"Its envelope has format {version[0]}; this Treadle reads {FORMAT}.")
    packing_at = _HEAD.size + codec_length
    children_at = packing_at + packing_length
    children_end = children_at + 32 * count
    if not children_end <= size - _SEAL_BYTES <= len(data) - _SEAL_BYTES:
        raise Damaged("Its header is cut short.")
    checked, seal = bytes(data[: size - _SEAL_BYTES]), bytes(data[size - _SEAL_BYTES : size])
    _verify(checked, seal, keyring, is_signed=is_signed)
    if (its_kind, its_address) != (kind, address.raw):
        raise Damaged("It belongs elsewhere.")
    children = bytes(data[children_at:children_end]).hex()
    return _Header(
        size=size,
        stored=stored,
        whole=whole,
        codec=bytes(data[_HEAD.size : packing_at]).decode(),
        compression=bytes(data[packing_at:children_at]).decode(),
        children=tuple(Digest(children[at : at + 64]) for at in range(0, len(children), 64)),
        content=content,
    )


def _digest(parts: Sequence[Bytes]) -> bytes:
    hasher = blake3()
    for part in parts:
        hasher.update(part)
    return hasher.digest()


def _verify(checked: bytes, seal: bytes, keyring: Keyring, *, is_signed: bool) -> None:
    check, signature = seal[:_CHECK_BYTES], seal[_CHECK_BYTES:]
    if blake3(checked).digest() != check or not (is_signed or signature == _UNSIGNED):
        raise Damaged("Its header was altered.")
    if not keyring.verify(_CONTEXT, checked, signature):
        raise Damaged("It is signed with another key." if is_signed else "It is not signed.")

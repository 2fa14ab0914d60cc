"""A pickle with large buffers behind it, so that an array is read from a file into its place without a copy.

Without buffers the bytes are the pickle alone. With them: a mark, the number of buffers, the lengths of the
pickle and of each buffer, and then each of these, aligned as arrays like to be.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from treadle.cache.values.compression import Bytes
from treadle.cache.values.envelope import BOUNDARY

LARGE_BYTES = 1 << 16
"""A buffer of fewer bytes stays within the pickle."""

_MARK = b"buffers\0"  # no pickle begins so
_COUNT = struct.Struct("<8sQ")


def join_buffers(pickled: bytes, buffers: Sequence[memoryview]) -> list[Bytes]:
    """Return the pieces of a pickle with its buffers."""
    lengths = [len(pickled), *(buffer.nbytes for buffer in buffers)]
    head = _COUNT.pack(_MARK, len(buffers)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    pieces: tuple[Bytes, ...] = (head, pickled, *buffers)
    parts: list[Bytes] = []
    for piece in pieces:
        parts.append(piece)
        if missing := -len(piece) % BOUNDARY:
            parts.append(bytes(missing))
    return parts


def split_buffers(data: Bytes) -> tuple[Bytes, list[memoryview]]:
    """Return a pickle, and views of its buffers.

    Raises:
        ValueError: The lengths do not fit.
    """
    view = memoryview(data)
    if view[: len(_MARK)] != _MARK:
        return data, []
    _, count = _COUNT.unpack_from(view)
    lengths = struct.unpack_from(f"<{count + 1}Q", view, _COUNT.size)
    at = _COUNT.size + 8 * (count + 1)
    pieces = []
    for length in lengths:
        at += -at % BOUNDARY
        pieces.append(view[at : at + length])
        at += length
    if at > len(view):
        raise ValueError("the buffers of a pickle are cut short")
    return pieces[0], pieces[1:]

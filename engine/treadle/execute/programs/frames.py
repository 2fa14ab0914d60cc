"""Messages on a stream socket: four bytes of length, big-endian, then JSON; descriptors may come along."""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

HEADER_BYTES = 4


def send(connection: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send a message.

    Raises:
        OSError: The other end is closed.
    """
    data = json.dumps(message).encode()
    frame = len(data).to_bytes(HEADER_BYTES, "big") + data
    if not descriptors:
        connection.sendall(frame)
        return
    rights = array.array("i", descriptors)
    sent = connection.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    connection.sendall(frame[sent:])


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """Return the next message, None at the end of the stream."""
    header = _receive_exactly(connection, HEADER_BYTES)
    return _rest(connection, header)


def receive_with_descriptor(connection: socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """Return the next message and the descriptor that came with it, if one did; it is not inheritable."""
    size = array.array("i").itemsize
    try:
        header, rights, _, _ = connection.recvmsg(
            HEADER_BYTES, socket.CMSG_SPACE(size), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionError:
        return None, None
    descriptors = array.array("i")
    for level, kind, data in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % size])
    if header:
        header += _receive_exactly(connection, HEADER_BYTES - len(header))
    return _rest(connection, header), descriptors[0] if descriptors else None


def _rest(connection: socket.socket, header: bytes) -> dict[str, Any] | None:
    length = int.from_bytes(header, "big")
    data = _receive_exactly(connection, length) if len(header) == HEADER_BYTES else b""
    if not data or len(data) < length:
        return None
    message: dict[str, Any] = json.loads(data)
    return message


def _receive_exactly(connection: socket.socket, length: int) -> bytes:
    """Return that many bytes, fewer if the stream ends before."""
    data = b""
    try:
        while len(data) < length and (part := connection.recv(length - len(data))):
            data += part
    except ConnectionError:
        return data
    return data

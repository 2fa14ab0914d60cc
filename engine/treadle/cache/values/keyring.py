"""Secret keys that sign what is stored: whoever can write to a shared folder cannot thereby forge a value."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable, Sequence
from typing import Self

from treadle.errors import SettingsInvalid

SIGNATURE_BYTES = 32
"""Length of a signature: HMAC-SHA256."""

_LENGTH = struct.Struct(">Q")


class Keyring:
    """Keys for signing: the first one signs, any of them verifies, so that keys can be changed in turn.

    Args:
        keys: The keys; without any, nothing is signed and nothing verified.
    """

    __slots__ = ("_keys",)

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = tuple(keys)
        if not all(self._keys):
            raise SettingsInvalid("A secret key of the cache is empty.")

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Self:
        """Read keys in hexadecimal.

        Raises:
            SettingsInvalid: One is empty or not hexadecimal; it is not shown.
        """
        try:
            keys = [bytes.fromhex(text) for text in texts]
        except ValueError:
            # The cause would show the key.
            raise SettingsInvalid("A secret key of the cache is not hexadecimal.") from None
        return cls(keys)

    def texts(self) -> list[str]:
        """Return the keys in hexadecimal, as `parse` reads them: never to be shown."""
        return [key.hex() for key in self._keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyring) and self._keys == other._keys

    def __hash__(self) -> int:
        return hash(self._keys)

    def sign(self, context: bytes, payload: bytes) -> bytes:
        """Sign with the first key.

        Args:
            context: What the payload is and belongs to: the signature holds for nothing else.
            payload: The bytes.

        Returns:
            32 bytes; none without keys.
        """
        return hmac.digest(self._keys[0], _bound(context, payload), "sha256") if self._keys else b""

    def verify(self, context: bytes, payload: bytes, signature: bytes) -> bool:
        """Whether any of the keys signed these bytes for this context; always true without keys."""
        bound = _bound(context, payload)
        signed = (hmac.compare_digest(hmac.digest(key, bound, "sha256"), signature) for key in self._keys)
        return not self._keys or any(signed)

    def __repr__(self) -> str:
        return f"<keyring of {len(self._keys)}>"


def _bound(context: bytes, payload: bytes) -> bytes:
    return b"".join((_LENGTH.pack(len(context)), context, _LENGTH.pack(len(payload)), payload))

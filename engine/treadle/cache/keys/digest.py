"""Digests: what keys and addresses are made of."""

from __future__ import annotations

import re
from typing import Self

DIGEST_LENGTH = 64
"""Hexadecimal characters of a digest: 256 bits."""

_HEX = re.compile(f"[0-9a-f]{{{DIGEST_LENGTH}}}")


class Digest(str):
    """A 256-bit digest as 64 lower-case hexadecimal characters.

    Only this type names a digest: any other text is a value. `Digest(text)` is not checked; text from outside
    goes through `parse`.
    """

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Make a digest of text from outside.

        Raises:
            ValueError: It is not 64 hexadecimal characters.
        """
        lower = text.lower()
        if not _HEX.fullmatch(lower):
            raise ValueError(f"{text!r} is no digest: it takes {DIGEST_LENGTH} hexadecimal characters")
        return cls(lower)

    @property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        return bytes.fromhex(self)

    def __repr__(self) -> str:
        return f"Digest({str(self)!r})"

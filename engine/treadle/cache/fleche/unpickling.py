"""Reads fleche's pickles without fleche: its classes are found here."""

from __future__ import annotations

import gzip
import hmac
import io
import pickle
import sys
import zlib
from collections.abc import Sequence
from typing import Protocol

from treadle.cache.fleche.records import CLASSES

_GZIP = b"\x1f\x8b"
_SIGNATURE_LENGTH = 64


class Permits(Protocol):
    """What pickles may use."""

    def permits(self, module: str, name: str) -> bool:
        """Whether a name of a module may be used."""
        ...


class _OfCalls:
    """A record of a call needs nothing but fleche's own classes."""

    def permits(self, module: str, name: str) -> bool:
        return (module, name) == ("collections", "defaultdict") or (module, name) == ("builtins", "dict")


CALLS: Permits = _OfCalls()
"""What a record of a call may use."""


class Damaged(Exception):
    """A file is not what fleche wrote, or nobody with one of the keys did; the text says why."""


def pickle_in(content: bytes, keys: Sequence[bytes]) -> bytes:
    """Return the pickle in a file of fleche's, unpacked.

    Without keys a signed file is read as an unsigned one is: a pickle ends by itself.

    Args:
        content: The file's bytes.
        keys: Any of these must have signed it; none if the signature does not count.

    Raises:
        Damaged: It is cut short, or none of the keys has signed it.
    """
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise Damaged(f"it cannot be decompressed ({error})") from error
    if not keys:
        return content
    payload, signature = content[:-_SIGNATURE_LENGTH], content[-_SIGNATURE_LENGTH:]
    if not payload.endswith(pickle.STOP):
        raise Damaged("it is not signed")
    signed = (hmac.new(key, payload, "sha256").hexdigest().encode() for key in keys)
    if not any(hmac.compare_digest(each, signature) for each in signed):
        raise Damaged("it is signed with none of the keys")
    return payload


def unpickle(data: bytes, permitted: Permits | None = None) -> object:
    """Read a pickle, with our classes for fleche's.

    Args:
        data: The pickle; what follows it is not read.
        permitted: What it may use besides; anything if None.

    Raises:
        Damaged: It is cut short, uses what it may not, or what cannot be imported here.
    """
    try:
        return _Unpickler(data, permitted).load()
    except Exception as error:  # an unpickler runs foreign code, which may raise anything
        raise Damaged(f"it cannot be unpickled ({type(error).__name__}: {error})") from error


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: bytes, permitted: Permits | None) -> None:
        super().__init__(io.BytesIO(data))
        self._permitted = permitted

    def find_class(self, module: str, name: str) -> object:
        module = "dill._dill" if module == "dill.dill" else module
        ours = CLASSES.get((module, name))
        if ours is not None:
            return ours
        if (module, name) == ("dill._dill", "_load_type") and self._permitted is not None:
            return _plain_type
        if self._permitted is not None and not self._permitted.permits(module, name):
            raise pickle.UnpicklingError(f"{module}.{name} is not among the names that may be unpickled")
        if (module, name) == ("__builtin__", "__main__"):  # how dill names the main module's variables
            return vars(sys.modules["__main__"])
        return super().find_class(module, name)


def _plain_type(name: str) -> type:
    """What dill's name of the one builtin type in a record stands for; others of its names could run code."""
    if name not in {"dict", "DictType"}:
        raise pickle.UnpicklingError(f"dill's {name} is not among the types that may be unpickled")
    return dict

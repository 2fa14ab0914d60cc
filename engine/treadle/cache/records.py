"""What is kept of a call: a record, in which values stand by their addresses, or by themselves if small.

A call becomes a `SealedCall` before its body runs, so nothing that the body does to its arguments can change
what it is found by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from treadle.cache.keys.digest import DIGEST_LENGTH, Digest

if TYPE_CHECKING:
    from pydantic import JsonValue

_DIGESTS = re.compile(f"[0-9a-f]{{{DIGEST_LENGTH}}}")

FORMAT = 1
"""Version of a record's written form. One of a higher version is left alone."""

Atom = None | bool | int | float | str | bytes
"""Values that a record may hold itself. Exactly these types, not their subclasses."""

ATOM_BYTES = 256
"""Largest text or bytes that a record holds itself."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A value that the record holds itself."""

    value: Atom


@dataclass(frozen=True, slots=True)
class Stored:
    """A value in the value storage, by its address there."""

    digest: Digest


Kept = Inline | Stored


@dataclass(frozen=True, slots=True)
class Reference:
    """A result that is passed on without being loaded.

    Attributes:
        key: What the value adds to the key of a call that takes it.
        value: Where it is.
    """

    key: Digest
    value: Kept


class Outcome(StrEnum):
    """How the call's body ended."""

    RETURNED = "returned"
    RAISED = "raised"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call.

    Attributes:
        name: Name of the parameter.
        key: What it adds to the call's key, in the record's scheme.
        value: The value; None where it could not be kept.
    """

    name: str
    key: Digest
    value: Kept | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that was made, and what came of it.

    Attributes:
        key: What it is found by.
        name: The function's qualified name.
        module: The function's module; None where it is no part of the key.
        version: The function's version; None where it is no part of the key, or has none.
        code: Digest of the function's source; None where it is no part of the key.
        arguments: Those that are part of the key, in the order of the signature.
        result: What it returned, or the exception it raised.
        result_key: What the result adds to the key of a call that takes it; None for what has no key.
        outcome: Whether it returned or raised.
        metadata: JSON objects by the name of what collected them.
        created: When it was recorded, in seconds since 1970 UTC.
        scheme: Name of the scheme of its keys.
        provenance: Where it comes from if it was not computed by Treadle.
    """

    key: Digest
    name: str
    module: str | None
    version: int | str | None
    code: Digest | None
    arguments: tuple[Argument, ...]
    result: Kept
    result_key: Digest | None
    outcome: Outcome
    created: float
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    scheme: str = "v1"
    provenance: str = ""

    @property
    def former_key(self) -> Digest | None:
        """Key of the record that this was taken over from, of another library's; None if it was not."""
        return next((Digest(word) for word in _DIGESTS.findall(self.provenance)), None)


@dataclass(frozen=True, slots=True)
class SealedCall:
    """A call that is about to be made; its key is fixed.

    Attributes:
        key: What its record will be found by.
        name: The function's qualified name.
        module: As in its record.
        version: As in its record.
        code: As in its record.
        arguments: Values of those that are part of the key, by name; not to be kept beyond the call.
        parts: What each adds to the key, by name, in the order of the signature.
    """

    key: Digest
    name: str
    module: str | None
    version: int | str | None
    code: Digest | None
    arguments: Mapping[str, object]
    parts: Mapping[str, Digest]

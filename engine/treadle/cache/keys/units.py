"""The key of a unit: named parts, so that two units can be compared part by part."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.cache.keys.digest import Digest
from treadle.cache.keys.encoding import digest_of
from treadle.cache.records import ATOM_BYTES, Argument, Inline

if TYPE_CHECKING:
    from pydantic import JsonValue

UNIT = "treadle.unit"
"""What keys of units begin with, so that no call of a function has one of them."""

_PLAIN_NAME = re.compile(r"[^\W\d][\w-]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a unit's key.

    Attributes:
        digest: What it adds to the key.
        text: What it says, for people.
    """

    digest: Digest
    text: str

    @classmethod
    def of(cls, value: JsonValue) -> Part:
        """Make it of a value that counts by itself."""
        return cls(digest_of(value), value if isinstance(value, str) else json.dumps(value))

    @classmethod
    def digested(cls, digest: str, text: str) -> Part:
        """Make it of something that counts by a digest of another kind."""
        return cls(digest_of(digest), text)

    def argument(self, name: str) -> Argument:
        """Return it as a record has it: its text, unless that is long."""
        short = len(self.text.encode("utf-8", "surrogatepass")) <= ATOM_BYTES
        return Argument(name, self.digest, Inline(self.text) if short else None)


Parts = Mapping[str, Part]
"""Parts by their names, such as `environment`, `argument threshold` and `input /data/a.zarr`."""


def unit_key(parts: Parts) -> Digest:
    """Return the key of the unit that has these parts; their order does not count."""
    named = sorted((name, part.digest) for name, part in parts.items())
    return digest_of((UNIT, 1, tuple(named)))


def argument_parts(arguments: Mapping[str, JsonValue]) -> dict[str, Part]:
    """Return a part for each argument; of one that is an object, for each of its members."""
    return {f"argument {path}": Part.of(value) for path, value in _leaves(arguments, "")}


def _leaves(values: Mapping[str, JsonValue], within: str) -> Iterator[tuple[str, JsonValue]]:
    for name, value in values.items():
        plain = _PLAIN_NAME.fullmatch(name) is not None
        path = f"{within}{'.' if within else ''}{name}" if plain else f"{within}[{json.dumps(name)}]"
        if isinstance(value, dict) and value:
            yield from _leaves(value, path)
        else:
            yield path, value

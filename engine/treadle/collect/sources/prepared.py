"""A source made ready to be resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from treadle.ledger.tables import Origin


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is known of a source before anything is resolved.

    Attributes:
        origin: What kind of source it is.
        source: What was asked for, with absolute paths and without credentials.
        name: Normalised name of the distribution.
        version: Its version, if only one will do.
        requirement: Requirement as PEP 508 writes it; a wheel of ours is a `file://` URL.
        wheel: Our own wheel of it; None if it comes from an index.
        extras: Normalised extras that were asked for.
        label: Local version label (PEP 440) that the ledger's version has beside the distribution's own,
            such as `git.1a2b3c4d5e6f`, or nothing.
        locked: What the source's own lock says: requirement lines with markers and hashes, or nothing.
        editable: Folder whose own files are used; None: a copy of them.
        provenance: Where exactly it came from, such as url, commit and subdirectory; no secrets.
        direct: Wheels of ours that stand for direct references among the dependencies: requirement lines
            `name @ file://…`, by which the resolver overrides what the packages ask for.
        also: Requirement lines that are resolved beside the main one.
    """

    origin: Origin
    source: str
    name: str
    version: str | None
    requirement: str
    wheel: Path | None = None
    extras: tuple[str, ...] = ()
    label: str = ""
    locked: str = ""
    editable: Path | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    direct: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def pinned(self, version: str) -> str:
        """The requirement for one version alone."""
        if self.wheel is not None:
            return self.requirement
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.name}{extras}=={version}"

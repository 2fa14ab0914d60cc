"""The lock that a package's authors shipped with it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from treadle.collect.lock import Lock
from treadle.errors import ResolutionFailed, SourceInvalid

_CONTINUED = re.compile(r"\\\n\s*")
_HASH = re.compile(r"\s--hash[= ](\S+)")


@dataclass(frozen=True, slots=True)
class ShippedLock:
    """Versions and digests that the package was released with.

    Attributes:
        text: Requirement lines with markers and hashes; empty if nothing was shipped.
    """

    text: str

    def lines(self, *, without: Collection[str]) -> list[str]:
        """Its versions as constraints, but for those of some distributions.

        Raises:
            SourceInvalid: A line is no requirement.
        """
        return [str(requirement) for requirement, _ in self._entries() if _name(requirement) not in without]

    def check(self, lock: Lock, *, package: str, free: Collection[str]) -> None:
        """Refuse a lock with an archive that the shipped one does not know.

        Args:
            lock: What was resolved by it.
            package: Name of the package that shipped it, which stands in it by its folder.
            free: Names that may have other versions than it says.

        Raises:
            ResolutionFailed: A distribution has none of the digests that were shipped.
        """
        shipped: dict[str, set[str]] = defaultdict(set)
        for requirement, digests in self._entries():
            shipped[_name(requirement)] |= digests
        for pin in lock.pins:
            expected = shipped.get(pin.name, set())
            if pin.name == package or pin.name in free or not expected:
                continue
            if expected.isdisjoint(pin.hashes):
                raise ResolutionFailed(
                    f"{pin} is another archive than the one {package} was released with: no digest agrees.",
                    remedy="Ask the package's author, or check which index answers (UV_DEFAULT_INDEX).",
                )

    def _entries(self) -> list[tuple[Requirement, set[str]]]:
        lines = (line.strip() for line in _CONTINUED.sub(" ", self.text).splitlines())
        return [_entry(line) for line in lines if line and not line.startswith(("#", "-"))]


def _entry(line: str) -> tuple[Requirement, set[str]]:
    text, _, _ = line.partition(" --hash")
    try:
        return Requirement(text.partition(" #")[0].strip()), set(_HASH.findall(line))
    except InvalidRequirement as error:
        raise SourceInvalid(
            f"The lock that the package ships cannot be read: {text.strip()} is no requirement.",
            remedy="The package's author has to mend it.",
            detail=str(error),
        ) from error


def _name(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)

"""Locks: every distribution of an environment with its version and hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name, parse_wheel_filename

_WHEELS = "file://${TREADLE_WHEELS}"
_OWN = re.compile(rf"{re.escape(_WHEELS)}/(\S+)")
_CONTINUED = re.compile(r"\\\n\s*")


@dataclass(frozen=True, slots=True)
class Pin:
    """One distribution of a lock.

    Attributes:
        name: Normalised name.
        version: Its version.
        wheel: File name of the wheel, if it does not come from an index.
        hashes: Digests that an archive may have, `sha256:…`, sorted.
    """

    name: str
    version: str
    wheel: str | None
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Lock:
    """A resolved set of distributions.

    Attributes:
        text: What uv wrote, in the form of a requirements file. Wheels of our own stand below
            `${TREADLE_WHEELS}`, so the text is the same on every machine.
    """

    text: str

    @classmethod
    def portable(cls, text: str, wheels: Path) -> Lock:
        """Make it of what uv wrote on this machine, where our own wheels are in that folder."""
        return cls(text.replace(f"file://{quote(str(wheels))}", _WHEELS))

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The distributions, by name."""
        lines = _CONTINUED.sub(" ", self.text).splitlines()
        return tuple(sorted((_pin(line) for line in lines if line.strip()), key=lambda pin: pin.name))

    def version(self, name: str) -> str:
        """The version of a distribution that the lock is known to have, by its normalised name."""
        return next(pin.version for pin in self.pins if pin.name == name)

    def own_wheels(self, wheels: Path) -> list[Path]:
        """Where the wheels of our own that it names are, below their folder."""
        return [wheels / unquote(place) for place in _OWN.findall(self.text)]

    def installable(self, wheels: Path) -> str:
        """The text as uv can install it, with the folder of our own wheels filled in."""
        return self.text.replace(_WHEELS, f"file://{quote(str(wheels))}")


def _pin(line: str) -> Pin:
    requirement, *hashes = (part.strip() for part in line.split(" --hash="))
    digests = tuple(sorted(hashes))
    name, at, url = (part.strip() for part in requirement.partition("@"))
    if at:
        wheel = unquote(url.rpartition("/")[2])
        return Pin(canonicalize_name(name), str(parse_wheel_filename(wheel)[1]), wheel, digests)
    name, _, version = requirement.partition("==")
    return Pin(canonicalize_name(name), version, None, digests)

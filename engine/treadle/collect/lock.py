"""Locks: every distribution of an environment with its version and hashes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from urllib.parse import quote, unquote

from packaging.utils import canonicalize_name, parse_wheel_filename

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.options import CollectOptions
from treadle.collect.sources.prepared import Prepared
from treadle.collect.storage import writing_below
from treadle.collect.uv import Uv, UvFailed, asking_anew
from treadle.errors import ResolutionFailed

_WHEELS = "file://${TREADLE_WHEELS}"
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

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The distributions, by name."""
        lines = _CONTINUED.sub(" ", self.text).splitlines()
        return tuple(sorted((_pin(line) for line in lines if line.strip()), key=lambda pin: pin.name))

    def version(self, name: str) -> str:
        """The version of a distribution that the lock is known to have, by its normalised name."""
        return next(pin.version for pin in self.pins if pin.name == name)

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


def find_lock(
    request: Prepared,
    *,
    options: CollectOptions,
    interpreter: Interpreter,
    uv: Uv,
    known: Callable[[str], Lock | None],
) -> Lock:
    """Resolve a source that is ready, keeping to the lock of a version that was collected before.

    A newer release of some dependency must not turn a version that is already known into another
    environment, so the known lock is preferred wherever it still answers the request. If nothing in it
    needs to change, no index is asked.

    Args:
        request: What to resolve.
        options: What was asked beside the source.
        interpreter: Python that the lock is for.
        uv: How uv is run.
        known: The lock under which a version of the package was collected before, or None.

    Raises:
        ResolutionFailed: No set of versions answers the request, or no index could be asked.
        StorageFull: The temporary folder or uv's cache may not be written.
    """
    del options
    requirement = request.requirement
    earlier = known(request.version) if request.version else None
    if earlier is None:
        fresh = _resolve(request, requirement, interpreter, uv)
        version = fresh.version(request.name)
        earlier = known(version)
        if earlier is None or earlier == fresh:
            return fresh
        requirement = request.pinned(version)
    if _unchanged(request, requirement, interpreter, uv, earlier):
        return earlier
    return _resolve(request, requirement, interpreter, uv, preferred=earlier)


def _unchanged(request: Prepared, requirement: str, interpreter: Interpreter, uv: Uv, earlier: Lock) -> bool:
    try:
        lock = _compile(request, requirement, interpreter, uv, preferred=earlier, options=["--offline"])
    except UvFailed:
        return False
    return lock == earlier


def _resolve(
    request: Prepared,
    requirement: str,
    interpreter: Interpreter,
    uv: Uv,
    *,
    preferred: Lock | None = None,
) -> Lock:
    try:
        return _compile(
            request, requirement, interpreter, uv, preferred=preferred, options=asking_anew(request.name)
        )
    except UvFailed as error:
        shown = requirement.rpartition("/")[2]
        if error.unreachable:
            raise ResolutionFailed(
                f"The package index could not be asked for what {shown} needs.",
                remedy="Check the network, and UV_DEFAULT_INDEX if the index is not the public one.",
                detail=error.words,
            ) from error
        raise ResolutionFailed(
            f"No set of packages satisfies {shown} on Python {interpreter.version}.",
            remedy="Check its name and version; only wheels are installed, nothing is built from source.",
            detail=error.words,
        ) from error


def _compile(
    request: Prepared,
    requirement: str,
    interpreter: Interpreter,
    uv: Uv,
    *,
    preferred: Lock | None,
    options: Sequence[str],
) -> Lock:
    wheels = uv.settings.wheels_folder
    place = Path(gettempdir())
    with writing_below(place), TemporaryDirectory(prefix="treadle-lock-", dir=place) as name:
        folder = Path(name)
        output = folder / "lock.txt"
        lines = [requirement, *request.also]
        (folder / "requirements.in").write_text("\n".join([*lines, ""]), encoding="utf-8")
        if preferred is not None:
            output.write_text(preferred.installable(wheels), encoding="utf-8")
        command = ["pip", "compile", "requirements.in", "--output-file", str(output), "--quiet"]
        form = ["--generate-hashes", "--no-header", "--no-annotate"]
        rules = ["--no-build", "--index-strategy", "first-index", "--python", str(interpreter.path)]
        uv.run([*command, *form, *rules, *options], folder=folder)
        text = output.read_text(encoding="utf-8")
    return Lock(text.replace(f"file://{quote(str(wheels))}", _WHEELS))

"""Resolving a source: which version of which distribution an environment is to have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.index import index_options, lacking_wheels, refreshing, wheels_first
from treadle.collect.lock import Lock
from treadle.collect.options import CollectOptions
from treadle.collect.shipped import ShippedLock
from treadle.collect.sources.prepared import Prepared
from treadle.collect.storage import writing_below
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import ResolutionFailed

_CONSTRAINTS = "constraints.txt"
_OVERRIDES = "overrides.txt"


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
        known: The lock under which a version of the package was collected with these options, or None.

    Raises:
        ResolutionFailed: No set of versions answers the request, no index could be asked, something is pinned
            that nothing needs, or the package's own lock knows other archives.
        StorageFull: The temporary folder or uv's cache may not be written.
    """
    resolver = _Resolver(request, options, interpreter, uv)
    requirement = request.requirement
    earlier = known(request.version) if request.version else None
    if earlier is None:
        fresh = resolver.resolve(requirement)
        version = fresh.version(request.name)
        earlier = known(version)
        if earlier is None or earlier == fresh:
            return fresh
        requirement = request.pinned(version)
    if resolver.leaves(earlier, requirement):
        return earlier
    return resolver.resolve(requirement, preferred=earlier)


@dataclass(frozen=True, slots=True)
class _Resolver:
    request: Prepared
    options: CollectOptions
    interpreter: Interpreter
    uv: Uv

    def leaves(self, earlier: Lock, requirement: str) -> bool:
        """Whether resolving anew with what is at hand would change nothing."""
        try:
            return self._compile(requirement, preferred=earlier, options=["--offline"]) == earlier
        except UvFailed:
            return False

    def resolve(self, requirement: str, *, preferred: Lock | None = None) -> Lock:
        """Resolve with what the index has now, and check that all that was asked for came true."""
        settings = self.uv.settings
        latest = self.options.exclude_newer or settings.exclude_newer
        limits = ["--exclude-newer", latest] if latest else []
        options = [*refreshing(self.request.name, settings), *limits]
        try:
            lock = self._compile(requirement, preferred=preferred, options=options)
        except UvFailed as error:
            raise self._failed(requirement, error) from error
        self._check(lock)
        return lock

    def _check(self, lock: Lock) -> None:
        there = {pin.name for pin in lock.pins}
        for names, verb in ((self.options.pins, "pinned"), (self.options.overrides, "overridden")):
            idle = [name for name in names if name not in there]
            if idle:
                raise ResolutionFailed(
                    f"{', '.join(idle)} is {verb}, but nothing needs it.",
                    remedy="Correct its name, or leave it out.",
                )
        ShippedLock(self.request.locked).check(lock, package=self.request.name, free=self._chosen)

    @property
    def _chosen(self) -> frozenset[str]:
        """Names whose versions are the caller's choice, whatever the package's own lock says."""
        direct = (line.partition("@")[0].strip() for line in self.request.direct)
        return frozenset({*self.options.pins, *self.options.overrides, *map(canonicalize_name, direct)})

    def _failed(self, requirement: str, error: UvFailed) -> ResolutionFailed:
        shown = requirement.rpartition("/")[2]
        wheelhouse = self.uv.settings.wheelhouse
        if error.unreachable and wheelhouse is None:
            return ResolutionFailed(
                f"The package index could not be asked for what {shown} needs.",
                remedy="Check the network, and UV_DEFAULT_INDEX if the index is not the public one.",
                detail=error.words,
            )
        unbuilt = ", ".join(sorted(lacking_wheels(error.words)))
        remedy = "Check its name and version; only wheels are installed, nothing is built from source."
        if unbuilt:
            remedy = f"No wheel of {unbuilt} fits; where its build code may run, add it with --build."
        elif wheelhouse is not None:
            remedy = f"Add what is missing to the wheelhouse {wheelhouse}; no index is asked."
        return ResolutionFailed(
            f"No set of packages satisfies {shown} on Python {self.interpreter.version}.",
            remedy=remedy,
            detail=error.words,
        )

    def _compile(self, requirement: str, *, preferred: Lock | None, options: Sequence[str]) -> Lock:
        settings = self.uv.settings
        place = Path(gettempdir())
        with writing_below(place), TemporaryDirectory(prefix="treadle-lock-", dir=place) as name:
            folder = Path(name)
            output = folder / "lock.txt"
            _write(folder / "requirements.in", [requirement, *self.request.also])
            command = ["pip", "compile", "requirements.in", "--output-file", str(output), "--quiet"]
            form = ["--generate-hashes", "--no-header", "--no-annotate"]
            rules = [
                "--python",
                str(self.interpreter.path),
                *index_options(settings),
                *self._write_rules(folder),
            ]

            def run(builds: Sequence[str]) -> None:
                if preferred is not None:
                    output.write_text(preferred.installable(settings.wheels_folder), encoding="utf-8")
                self.uv.run([*command, *form, *rules, *builds, *options], folder=folder)

            wheels_first(run, (*settings.builds, *self.options.builds))
            text = output.read_text(encoding="utf-8")
        return Lock.portable(text, settings.wheels_folder)

    def _write_rules(self, folder: Path) -> Iterator[str]:
        """Write constraints and overrides; what somebody chose takes the place of what was shipped."""
        chosen, overrides = self._chosen, self.options.overrides
        pins = [f"{name}=={version}" for name, version in self.options.pins.items() if name not in overrides]
        constraints = [*ShippedLock(self.request.locked).lines(without=chosen), *pins]
        if constraints:
            _write(folder / _CONSTRAINTS, constraints)
            yield from ("--constraints", _CONSTRAINTS)
        direct = [line for line in self.request.direct if _name(line) not in overrides]
        overriding = [*direct, *(f"{name}=={version}" for name, version in overrides.items())]
        if overriding:
            _write(folder / _OVERRIDES, overriding)
            yield from ("--overrides", _OVERRIDES)


def _name(line: str) -> str:
    return canonicalize_name(Requirement(line).name)


def _write(file: Path, lines: Sequence[str]) -> None:
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

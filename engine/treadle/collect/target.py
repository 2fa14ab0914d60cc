"""From a source to exactly what would be installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from treadle.collect.environments.identity import environment_id
from treadle.collect.environments.interpreter import Interpreter, choose_interpreter
from treadle.collect.lock import Lock
from treadle.collect.manifests.beside import requirements_beside
from treadle.collect.options import CollectOptions
from treadle.collect.resolution import find_lock
from treadle.collect.sources.grammar import Source, parse_source
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.ledger.tables import Origin

ALSO = "also"
"""Key of a package's provenance: what it needs beside what it asks for, one requirement a line."""


@dataclass(frozen=True, slots=True)
class Target:
    """One version of a package, and the environment it needs.

    Attributes:
        prepared: The source, ready.
        version: The version that is collected, with the source's own label.
        options: What was asked beside the source.
        lock: Everything that the environment contains.
        environment_id: Digest of lock, interpreter, platform and builder.
        folder: Where the environment is, or will be.
        interpreter: What the environment is built on.
    """

    prepared: Prepared
    version: str
    options: CollectOptions
    lock: Lock
    environment_id: str
    folder: Path
    interpreter: Interpreter

    @property
    def name(self) -> str:
        """Normalised name of the distribution."""
        return self.prepared.name

    @property
    def extras(self) -> tuple[str, ...]:
        """Normalised extras that were asked for."""
        return self.prepared.extras

    @property
    def origin(self) -> Origin:
        """What kind of source it is."""
        return self.prepared.origin

    @property
    def source(self) -> str:
        """What was asked for: a requirement, an absolute path, or a URL without credentials."""
        return self.prepared.source


def find_target(
    source: str | Source,
    *,
    options: CollectOptions,
    uv: Uv,
    known: Callable[[str, str, CollectOptions], Lock | None],
    also: Callable[[str, str], tuple[str, ...]],
) -> Target:
    """Resolve a source; what it takes to do that is fetched and built.

    Args:
        source: The source, or its text as a person gave it.
        options: What was asked beside it.
        uv: How uv is run, with the settings and the progress.
        known: The lock under which a name and version was collected with these options before, or None.
        also: What a name and version needs beside what it asks for, as is known by now.

    Raises:
        CollectError: It is no source, has no interpreter, cannot be built, or cannot be resolved.
        StorageFull: Home, temporary folder or uv's cache may not be written.
        Cancelled: The progress was told to stop.
    """
    asked = parse_source(source) if isinstance(source, str) else source
    interpreter = choose_interpreter(options.python, uv.settings)
    uv.settings.create_home()
    prepared = prepare(asked, options=options, interpreter=interpreter, uv=uv)
    if prepared.wheel is not None:
        prepared = _with(prepared, requirements_beside(prepared.wheel))
    uv.progress("resolving")

    def known_version(version: str) -> Lock | None:
        return known(prepared.name, _labelled(version, prepared.label), options)

    lock = find_lock(prepared, options=options, interpreter=interpreter, uv=uv, known=known_version)
    further = also(prepared.name, _labelled(lock.version(prepared.name), prepared.label))
    if not set(further) <= set(prepared.also):
        prepared = _with(prepared, further)
        lock = find_lock(prepared, options=options, interpreter=interpreter, uv=uv, known=known_version)
    identity = environment_id(lock, interpreter)
    return Target(
        prepared=prepared,
        version=_labelled(lock.version(prepared.name), prepared.label),
        options=options,
        lock=lock,
        environment_id=identity,
        folder=uv.settings.environments_folder / identity,
        interpreter=interpreter,
    )


def _with(prepared: Prepared, further: tuple[str, ...]) -> Prepared:
    """The source with more to resolve beside it; the ledger keeps that, so that it is known the next time."""
    lines = tuple(dict.fromkeys([*prepared.also, *further]))
    provenance = {**prepared.provenance, ALSO: "\n".join(lines)}
    return replace(prepared, also=lines, provenance=provenance) if lines else prepared


def _labelled(version: str, label: str) -> str:
    if not label:
        return version
    return f"{version}.{label}" if "+" in version else f"{version}+{label}"

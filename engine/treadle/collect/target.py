"""From a source's text to exactly what would be installed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from treadle.collect.identity import environment_id
from treadle.collect.interpreter import Interpreter, examine
from treadle.collect.lock import Lock, Request, find_lock
from treadle.collect.source import FolderSource, IndexSource, WheelSource, parse_source
from treadle.collect.wheels import wheel_from_file, wheel_from_folder
from treadle.errors import SourceInvalid
from treadle.ledger.tables import Origin
from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class Target:
    """One version of a package, and the environment it needs.

    Attributes:
        name: Normalised name of the distribution.
        version: Its version.
        extras: Normalised extras that were asked for.
        origin: What kind of source it is.
        source: What was asked for: a requirement, or an absolute path.
        lock: Everything that the environment contains.
        environment_id: Digest of lock, interpreter, platform and builder.
        folder: Where the environment is, or will be.
        interpreter: What the environment is built on.
    """

    name: str
    version: str
    extras: tuple[str, ...]
    origin: Origin
    source: str
    lock: Lock
    environment_id: str
    folder: Path
    interpreter: Interpreter


def find_target(
    text: str,
    *,
    settings: Settings,
    known: Callable[[str, str], Lock | None],
    progress: Callable[[str], None],
) -> Target:
    """Resolve a source; a local folder is built into a wheel for that, unless it did not change.

    Args:
        text: The source as a person gave it.
        settings: Where things are kept, and which Python is used.
        known: The lock under which a name and version was collected before, or None.
        progress: Told what is under way.

    Raises:
        CollectError: It is no source, has no interpreter, cannot be built, or cannot be resolved.
        StorageFull: Home, temporary folder or uv's cache may not be written.
    """
    source = parse_source(text)
    interpreter = examine(settings.python)
    settings.create_home()
    origin, shown, extras, request = _request(source, settings, interpreter, progress)
    progress("resolving")
    lock = find_lock(
        request,
        interpreter=interpreter,
        wheels=settings.wheels_folder,
        known=lambda version: known(request.name, version),
    )
    identity = environment_id(lock, interpreter)
    return Target(
        name=request.name,
        version=lock.version(request.name),
        extras=extras,
        origin=origin,
        source=shown,
        lock=lock,
        environment_id=identity,
        folder=settings.environments_folder / identity,
        interpreter=interpreter,
    )


def _request(
    source: IndexSource | FolderSource | WheelSource,
    settings: Settings,
    interpreter: Interpreter,
    progress: Callable[[str], None],
) -> tuple[Origin, str, tuple[str, ...], Request]:
    if isinstance(source, IndexSource):
        request = Request(source.name, source.version, source.requirement, source.pinned)
        return "index", source.requirement, source.extras, request
    path = _absolute(source.path)
    wheels = settings.wheels_folder
    origin: Origin
    if isinstance(source, FolderSource):
        origin = "folder"
        wheel = wheel_from_folder(
            path, wheels=wheels, home=settings.home, interpreter=interpreter, progress=progress
        )
    else:
        origin = "wheel"
        wheel = wheel_from_file(path, wheels=wheels, progress=progress)
    request = Request(wheel.name, wheel.version, wheel.requirement, lambda _: wheel.requirement)
    return origin, str(path), (), request


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise SourceInvalid(f"{path} cannot be followed: {error}.", remedy="Check the path.") from error

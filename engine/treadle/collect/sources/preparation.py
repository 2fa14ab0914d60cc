"""Whatever was named, made ready to be resolved: fetched, looked into, built into a wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.options import CollectOptions
from treadle.collect.sources.grammar import FolderSource, IndexSource, PluginSource, Source, WheelSource
from treadle.collect.sources.prepared import Prepared
from treadle.collect.sources.wheels import Wheel, wheel_from_file, wheel_from_folder
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid
from treadle.ledger.tables import Origin


def prepare(source: Source, *, options: CollectOptions, interpreter: Interpreter, uv: Uv) -> Prepared:
    """Make a source ready to be resolved; what is built or fetched for that is kept for the next time.

    Raises:
        SourceInvalid: It is not what its kind demands, may not be built, or may not be fetched from there.
        BuildFailed: Its own build failed.
        StorageFull: Home or temporary folder may not be written.
        Cancelled: The progress was told to stop.
    """
    del options
    match source:
        case IndexSource():
            return Prepared(
                origin="index",
                source=source.requirement,
                name=source.name,
                version=source.version,
                requirement=source.requirement,
                extras=source.extras,
            )
        case FolderSource(path):
            folder = _absolute(path)
            return _own("folder", folder, wheel_from_folder(folder, interpreter=interpreter, uv=uv))
        case WheelSource(path):
            file = _absolute(path)
            return _own("wheel", file, wheel_from_file(file, uv=uv))
        case PluginSource(path, location, provenance):
            wheel = _own("plugin", path, wheel_from_file(path, uv=uv))
            return replace(wheel, source=location, provenance=provenance)


def _own(origin: Origin, place: Path, wheel: Wheel) -> Prepared:
    return Prepared(
        origin=origin,
        source=str(place),
        name=wheel.name,
        version=wheel.version,
        requirement=wheel.requirement,
        wheel=wheel.path,
    )


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise SourceInvalid(f"{path} cannot be followed: {error}.", remedy="Check the path.") from error

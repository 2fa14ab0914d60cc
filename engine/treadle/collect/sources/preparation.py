"""Whatever was named, made ready to be resolved: fetched, looked into, built into a wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.options import CollectOptions
from treadle.collect.sources.archive_wheel import wheel_from_archive
from treadle.collect.sources.building import Builder, check_buildable
from treadle.collect.sources.direct import DirectReferences
from treadle.collect.sources.git_wheel import wheel_from_git
from treadle.collect.sources.grammar import (
    ArchiveSource,
    FolderSource,
    GitSource,
    IndexSource,
    PluginSource,
    ScriptSource,
    Source,
    WheelSource,
)
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
    if options.editable and not isinstance(source, FolderSource):
        raise SourceInvalid(
            "Only a folder can be collected as editable.", remedy="Leave out --editable, or name the folder."
        )
    builder = Builder(interpreter, options, uv)
    prepared = _prepare(source, builder)
    if prepared.wheel is None:
        return prepared
    direct = DirectReferences(builder, local=prepared.origin in {"folder", "editable"})
    locked = direct.take_locked(prepared.locked)
    direct.follow(prepared.wheel, prepared.extras)
    provenance = {**prepared.provenance, **direct.provenance()}
    return replace(prepared, locked=locked, direct=direct.lines(), provenance=provenance)


def _prepare(source: Source, builder: Builder) -> Prepared:
    uv = builder.uv
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
            check_buildable("folder", str(folder), uv.settings)
            if builder.options.editable:
                wheel = wheel_from_folder(folder, builder=builder, kind="editable")
                return replace(_own("editable", folder, wheel), editable=folder)
            return _own("folder", folder, wheel_from_folder(folder, builder=builder))
        case WheelSource(path):
            file = _absolute(path)
            return _own("wheel", file, wheel_from_file(file, uv=uv))
        case GitSource():
            return _from_git(source, builder)
        case ArchiveSource(path):
            file = _absolute(path)
            return _own("archive", file, wheel_from_archive(file, builder=builder))
        case ScriptSource(path):
            raise SourceInvalid(f"{path} cannot be collected.")
        case PluginSource(path, location, provenance):
            wheel = _own("plugin", path, wheel_from_file(path, uv=uv))
            return replace(wheel, source=location, provenance=provenance)


def _own(origin: Origin, place: Path, wheel: Wheel) -> Prepared:
    return Prepared(
        origin=origin,
        source=str(place),
        name=wheel.name,
        version=wheel.version,
        requirement=wheel.required(),
        wheel=wheel.path,
        locked=wheel.locked,
    )


def _from_git(source: GitSource, builder: Builder) -> Prepared:
    place = source.place
    built = wheel_from_git(place, builder=builder)
    wheel = built.wheel
    if source.name not in {None, wheel.name}:
        raise SourceInvalid(
            f"{place} is the project {wheel.name}, not {source.name}.",
            remedy=f"Write {wheel.name} @ {place}, or the address alone.",
        )
    provenance = {
        "url": place.public_url,
        "ref": place.ref or "",
        "commit": built.commit,
        "subdirectory": place.subdirectory,
    }
    return Prepared(
        origin="git",
        source=str(source),
        name=wheel.name,
        version=wheel.version,
        requirement=wheel.required(source.extras),
        wheel=wheel.path,
        extras=source.extras,
        locked=wheel.locked,
        label=f"git.{built.commit[:12]}",
        provenance={name: value for name, value in provenance.items() if value},
    )


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, OSError) as error:
        raise SourceInvalid(f"{path} cannot be followed: {error}.", remedy="Check the path.") from error

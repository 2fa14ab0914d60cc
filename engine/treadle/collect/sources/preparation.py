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
    PathSource,
    PluginSource,
    ScriptSource,
    Source,
    WheelSource,
)
from treadle.collect.sources.prepared import Prepared
from treadle.collect.sources.script_wheel import wheel_from_script
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
    direct = DirectReferences(builder, local=prepared.origin in {"folder", "editable", "script"})
    locked = direct.take_locked(prepared.locked)
    direct.follow(prepared.wheel, prepared.extras)
    provenance = {**prepared.provenance, **direct.provenance()}
    return replace(prepared, locked=locked, direct=direct.lines(), provenance=provenance)


def _prepare(source: Source, builder: Builder) -> Prepared:
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
        case GitSource():
            return _from_git(source, builder)
        case PluginSource():
            wheel = wheel_from_file(source.wheel, uv=builder.uv)
            return replace(_own("plugin", source.location, wheel), provenance=source.provenance)
        case _:
            return _from_path(source, builder)


def _from_path(source: PathSource, builder: Builder) -> Prepared:
    place = _absolute(source.path)
    origin: Origin
    match source:
        case FolderSource():
            check_buildable("folder", str(place), builder.settings)
            editable = builder.options.editable
            origin = "editable" if editable else "folder"
            wheel = wheel_from_folder(place, builder=builder, kind="editable" if editable else "wheel")
        case WheelSource():
            origin, wheel = "wheel", wheel_from_file(place, uv=builder.uv)
        case ArchiveSource():
            origin, wheel = "archive", wheel_from_archive(place, builder=builder)
        case ScriptSource():
            origin = "script"
            wheel = wheel_from_script(place, interpreter=builder.interpreter, uv=builder.uv)
    return replace(_own(origin, str(place), wheel), editable=place if origin == "editable" else None)


def _own(origin: Origin, source: str, wheel: Wheel) -> Prepared:
    return Prepared(
        origin=origin,
        source=source,
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

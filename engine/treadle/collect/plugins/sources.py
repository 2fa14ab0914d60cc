"""From a plugin, script or project that was found to a source that can be collected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from treadle.collect.plugins.compatibility import compatibility_files
from treadle.collect.plugins.description import Description
from treadle.collect.plugins.identifiers import distribution_name, parse_version
from treadle.collect.plugins.metadata import PluginMetadata
from treadle.collect.plugins.requirements import RequirementLine
from treadle.collect.plugins.walk import plugin_files
from treadle.collect.plugins.wheel import write_wheel
from treadle.collect.sources.grammar import FolderSource, PluginSource, Source, parse_source
from treadle.collect.storage import writing_below
from treadle.errors import SourceInvalid


@contextmanager
def source_of(
    location: str, description: Description, requirements: Sequence[RequirementLine]
) -> Iterator[Source]:
    """The source of what was found, for as long as the body runs.

    A plugin is collected as a wheel of its files and of what plugins import; a script or a project as what
    it is.

    Args:
        location: Where it was found.
        description: What is known of it; the name and version of a plugin are.
        requirements: What a plugin needs.

    Raises:
        SourceInvalid: Its files cannot be read, or it has no name or version.
        StorageFull: The temporary folder may not be written.
    """
    path = Path(description.path)
    if description.reading.kind == "script":
        yield parse_source(str(path))
    elif description.reading.kind == "project":
        yield FolderSource(path)
    else:
        place = Path(gettempdir())
        with writing_below(place), TemporaryDirectory(prefix="treadle-plugin-", dir=place) as folder:
            wheel = _wheel(Path(folder), path, description, requirements)
            yield PluginSource(wheel, location, dict(description.provenance))


def _wheel(
    folder: Path, path: Path, description: Description, requirements: Sequence[RequirementLine]
) -> Path:
    name, version = _identity(description.reading.metadata, path)
    files = [*plugin_files(path, boundary=Path(description.boundary)), *compatibility_files()]
    return write_wheel(
        folder,
        name=name,
        version=version,
        summary=description.reading.metadata.description,
        requires=[str(line.requirement) for line in requirements],
        files=files,
    )


def _identity(metadata: PluginMetadata, path: Path) -> tuple[str, str]:
    version = parse_version(metadata.version or "")
    if metadata.name is None or version is None:
        raise SourceInvalid(f"{path.name} has no name or no version.")
    return distribution_name(metadata.name), str(version)

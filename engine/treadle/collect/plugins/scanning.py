"""Finding plugins: every place is looked into, and the ledger knows afterwards what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from treadle.collect.plugins.description import Description, state_of
from treadle.collect.plugins.identifiers import distribution_name, parse_version, plugin_identifier
from treadle.collect.plugins.places import Place, PlaceProblem, find_places
from treadle.collect.plugins.reading import Problem, Reading, read
from treadle.collect.plugins.walk import candidates, content_digest, is_package, is_project
from treadle.collect.progress import Progress
from treadle.errors import SourceInvalid
from treadle.ledger import Ledger
from treadle.ledger.packages import list_packages
from treadle.ledger.plugins import FoundPlugin, PluginRecord, list_plugins, record_plugins
from treadle.settings import Settings


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a scan found.

    Attributes:
        plugins: All plugins, scripts and projects, by location.
        problems: Places that could not be looked into.
    """

    plugins: tuple[PluginRecord, ...]
    problems: tuple[PlaceProblem, ...]

    @property
    def failed(self) -> bool:
        """Whether something is broken; a folder that is not there is not."""
        broken = any(plugin.state == "broken" for plugin in self.plugins)
        return broken or any(not problem.missing for problem in self.problems)


def scan(settings: Settings, ledger: Ledger, progress: Progress) -> ScanReport:
    """Look into every place that the settings name, and record what is there.

    What did not change since it was looked at last is not read again. Nothing that is broken hinders
    anything else, and nothing of a plugin is run.

    Args:
        settings: Where plugins are looked for.
        ledger: Where they are recorded.
        progress: Told what is under way; ends it on request.

    Raises:
        StorageFull: The folder of checkouts may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    settings.create_home()
    with ledger.reading() as tx:
        known = {plugin.location: plugin for plugin in list_plugins(tx)}
    places = find_places(settings, progress)
    looks: dict[str, _Look] = {}
    for place in places.found:
        progress(f"looking into {place.origin}")
        try:
            for look in _look_into(place, known, progress):
                looks.setdefault(look.location, look)
        except SourceInvalid as error:
            places.problems.append(PlaceProblem(place.origin, Problem.of(error)))
    unseen = {problem.origin for problem in places.problems if not problem.missing}
    with ledger.writing() as tx:
        known = {plugin.location: plugin for plugin in list_plugins(tx)}
        updated = [_updated(look, known.get(look.location)) for look in looks.values()]
        active = {package.id for package in list_packages(tx) if package.active}
        installed = {place for place, plugin in known.items() if plugin.package_id in active}
        plugins = record_plugins(tx, _found(updated, installed), unseen=unseen)
    return ScanReport(tuple(plugins), tuple(places.problems))


@dataclass(frozen=True, slots=True)
class _Look:
    """One entry of a place, as it is now."""

    origin: str
    location: str
    digest: str
    description: Description

    @property
    def reading(self) -> Reading:
        return self.description.reading

    @property
    def identifier(self) -> str | None:
        name, version = self.reading.metadata.name, self.reading.metadata.version
        return plugin_identifier(name, version) if name and version else None

    @property
    def installed_as(self) -> tuple[str, str] | None:
        """Name and version of the distribution that it makes, if they are known."""
        name, version = self.reading.metadata.name, self.reading.metadata.version
        if not name or not version:
            return None
        own = distribution_name(name) if self.reading.kind == "plugin" else canonicalize_name(name)
        return own, str(parse_version(version) or version)


def _look_into(place: Place, known: Mapping[str, PluginRecord], progress: Progress) -> list[_Look]:
    """Look at the entries of a place; a project that holds no plugin is an entry itself."""
    looks = []
    for path in candidates(place.path):
        progress.check()
        looks.append(_look(place, path, known))
    alone = place.path.is_dir() and is_project(place.path) and not is_package(place.path)
    plugins = [look for look in looks if look.reading.kind == "plugin" and look.reading.problem is None]
    return [_look(place, place.path, known)] if alone and not plugins else looks


def _look(place: Place, path: Path, known: Mapping[str, PluginRecord]) -> _Look:
    location = place.location(path)
    try:
        boundary = place.boundary(path)
        digest = content_digest(path, boundary=boundary)
    except SourceInvalid as error:
        reading = Reading(kind="plugin", problem=Problem.of(error))
        unread = Description(reading=reading, path=str(path), boundary=str(place.path))
        return _Look(place.origin, location, "", unread)
    kept = _on_record(known.get(location), digest)
    description = Description(
        reading=kept.reading if kept else read(path),
        path=str(path),
        boundary=str(boundary),
        provenance=place.provenance(path),
    )
    return _Look(place.origin, location, digest, description)


def _updated(look: _Look, present: PluginRecord | None) -> _Look:
    """Add what became of a plugin, which an installation may have changed since the scan began."""
    known = _on_record(present, look.digest)
    if known is None:
        installed = _installed(present)
        return replace(look, description=look.description.model_copy(update={"installed": installed}))
    became = {"reading": known.reading, "installed": known.installed, "failure": known.failure}
    return replace(look, description=look.description.model_copy(update=became))


def _on_record(plugin: PluginRecord | None, digest: str) -> Description | None:
    """What is known of these very files, unless it was written in another form."""
    if plugin is None or not digest or plugin.digest != digest:
        return None
    try:
        return Description.of(plugin)
    except ValidationError:
        return None


def _installed(plugin: PluginRecord | None) -> str:
    try:
        return Description.of(plugin).installed if plugin else ""
    except ValidationError:
        return ""


def _twice(looks: Iterable[_Look]) -> dict[str, Problem]:
    """The problem of each location whose name and version another has, too."""
    same: defaultdict[tuple[str, str], list[_Look]] = defaultdict(list)
    for look in looks:
        if look.reading.problem is None and look.installed_as is not None:
            same[look.installed_as].append(look)
    problems: dict[str, Problem] = {}
    for several in same.values():
        if len(several) > 1:
            problem = two_places(several[0].identifier or "", [look.location for look in several])
            problems |= {look.location: problem for look in several}
    return problems


def two_places(identifier: str, locations: Sequence[str]) -> Problem:
    """The problem of plugins that have one identifier."""
    return Problem(
        what=f"{identifier} is at {len(locations)} places: {' and '.join(locations)}.",
        remedy="Remove all but one of them, or give each a version of its own.",
    )


def _found(looks: Sequence[_Look], installed: Collection[str]) -> list[FoundPlugin]:
    """What goes on record; of what is at an installed location the package is there."""
    twice = _twice(looks)
    found = []
    for look in looks:
        metadata = look.reading.metadata
        there = look.location in installed
        problem = look.reading.problem or twice.get(look.location) or look.description.failure
        found.append(
            FoundPlugin(
                kind=look.reading.kind,
                origin=look.origin,
                location=look.location,
                name=metadata.name,
                version=metadata.version,
                identifier=look.identifier,
                state=state_of(look.description, look.digest, problem=problem, installed=there),
                problem=str(problem) if problem else None,
                description=look.description.model_dump(mode="json"),
                digest=look.digest,
            )
        )
    return found

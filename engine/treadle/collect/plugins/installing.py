"""Installing plugins, each into an environment of its own, and telling beforehand what that would do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from treadle.collect.collection import collect, preview
from treadle.collect.lock import Lock
from treadle.collect.plugins.derived import complete_metadata
from treadle.collect.plugins.description import Description
from treadle.collect.plugins.identifiers import plugin_identifier
from treadle.collect.plugins.reading import Problem
from treadle.collect.plugins.report import Difference, Installation, InstallReport, called
from treadle.collect.plugins.requirements import RequirementLine, parse_requirements
from treadle.collect.plugins.scanning import scan, two_places
from treadle.collect.plugins.sources import source_of
from treadle.collect.plugins.walk import has_tests
from treadle.collect.progress import Progress
from treadle.collect.uv import Uv
from treadle.errors import AlreadyExists, CollectError, ResolutionFailed, SourceInvalid
from treadle.ledger import Ledger
from treadle.ledger.names import unknown_name
from treadle.ledger.packages import get_environment, list_packages
from treadle.ledger.plugins import PluginRecord, change_plugin, list_plugins, name_plugin
from treadle.settings import Settings

_NEEDED = frozenset({"name", "version", "requirements"})
"""Members without which a plugin cannot be installed."""


def install(
    settings: Settings,
    ledger: Ledger,
    progress: Progress,
    *,
    names: Sequence[str] = (),
    dry_run: bool = False,
    only_with_tests: bool = False,
) -> InstallReport:
    """Look for plugins, and give each that is asked for an environment of its own.

    One that fails hinders no other. Safe to repeat: what is installed is used as it is.

    Args:
        settings: Where plugins are looked for, and where things are kept.
        ledger: Where plugins, packages and environments are on record.
        progress: Told what is under way; ends it on request.
        names: Identifiers, names or locations; nothing: all that is there.
        dry_run: Only resolve: no environment is kept, and nothing is registered.
        only_with_tests: Leave out what brings no tests: no folder `tests`, no module `test_…` at its top.

    Raises:
        UnknownName: Nothing of that name is there.
        StorageFull: Home, temporary folder or uv's cache may not be written.
        LedgerError: The ledger could not be read or written.
        Cancelled: The progress was told to stop.
    """
    report = scan(settings, ledger, progress)
    chosen = choose(report.plugins, names) if names else list(report.plugins)
    if only_with_tests:
        chosen = [plugin for plugin in chosen if has_tests(Path(Description.of(plugin).path))]
    installer = _Installer(settings, ledger, progress, dry_run)
    return InstallReport(
        installations=tuple(installer.install(plugin) for plugin in chosen),
        problems=() if names else report.problems,
        dry_run=dry_run,
    )


def choose(plugins: Sequence[PluginRecord], names: Sequence[str]) -> list[PluginRecord]:
    """The plugins that names stand for: an identifier or a location for one, a name for all its versions.

    Raises:
        UnknownName: A name stands for none.
    """
    chosen: dict[int, PluginRecord] = {}
    for name in names:
        found = [plugin for plugin in plugins if name in {plugin.identifier, plugin.name, plugin.location}]
        if not found:
            raise unknown_name("plugin", name, {called(plugin) for plugin in plugins})
        chosen |= {plugin.id: plugin for plugin in found}
    return list(chosen.values())


@dataclass(frozen=True, slots=True)
class _Installer:
    settings: Settings
    ledger: Ledger
    progress: Progress
    dry_run: bool

    def install(self, plugin: PluginRecord) -> Installation:
        """Install one plugin; what is wrong with it is in the answer."""
        description = Description.of(plugin)
        if plugin.state == "broken" and description.failure is None:
            problem = description.reading.problem or Problem(what=plugin.problem or "It is broken.")
            return Installation(plugin, problem=problem)
        requirements: list[RequirementLine] = []
        try:
            plugin, description = self._complete(plugin, description)
            if twice := self._twice(plugin):
                return Installation(plugin, problem=twice)
            if plugin.kind == "plugin":
                requirements = _requirements(description)
            with source_of(plugin.location, description, requirements) as source:
                if self.dry_run:
                    found = preview(
                        source,
                        settings=self.settings,
                        ledger=self.ledger,
                        progress=self._progress(plugin),
                    )
                    lock = Lock(found.lock)
                    return _installation(
                        plugin, lock, found.environment_id, built=found.ready, before=self._before(plugin)
                    )
                before = self._before(plugin)
                collected = collect(
                    source, settings=self.settings, ledger=self.ledger, progress=self._progress(plugin)
                )
        except (CollectError, AlreadyExists) as error:
            problem = _blaming(error, requirements)
            return Installation(self._failed(plugin, description, problem), problem=problem)
        environment = collected.environment
        done = self._done(plugin, description, collected.package.id)
        return _installation(done, Lock(environment.lock), environment.id, built=True, before=before)

    def _progress(self, plugin: PluginRecord) -> Progress:
        name = called(plugin)
        return Progress(
            lambda phase: self.progress(f"{name}: {phase}"), log=self.progress.log, stop=self.progress.stop
        )

    def _complete(self, plugin: PluginRecord, description: Description) -> tuple[PluginRecord, Description]:
        """Learn what could not be read, and record it."""
        metadata = description.reading.metadata
        if not metadata.unknown:
            return plugin, description
        uv = Uv(self.settings, self._progress(plugin))
        boundary = Path(description.boundary)
        try:
            learnt = complete_metadata(metadata, Path(description.path), boundary=boundary, uv=uv)
        except CollectError as error:
            if not _NEEDED.isdisjoint(metadata.unknown):
                raise
            uv.progress.log(f"{', '.join(metadata.unknown)} stay unknown: {error.what}")
            return plugin, description
        reading = description.reading.model_copy(update={"metadata": learnt})
        completed = description.model_copy(update={"reading": reading})
        name, version = learnt.name or "", learnt.version or ""
        identifier = plugin_identifier(name, version)
        with self.ledger.writing() as tx:
            changed = change_plugin(
                tx,
                plugin,
                state=plugin.state,
                problem=plugin.problem,
                description=completed.model_dump(mode="json"),
                package_id=plugin.package_id,
            )
            if changed is not None:
                plugin = name_plugin(tx, plugin, name=name, version=version, identifier=identifier)
        return plugin, completed

    def _twice(self, plugin: PluginRecord) -> Problem | None:
        """The problem that another plugin turned out to have the same identifier."""
        with self.ledger.reading() as tx:
            others = [other for other in list_plugins(tx) if other.id != plugin.id and other.state != "gone"]
        same = [
            other.location for other in others if other.identifier and other.identifier == plugin.identifier
        ]
        return two_places(called(plugin), [*same, plugin.location]) if same else None

    def _before(self, plugin: PluginRecord) -> Lock | None:
        """The lock of the environment that a plugin has so far."""
        if plugin.package_id is None:
            return None
        with self.ledger.reading() as tx:
            package = next((found for found in list_packages(tx) if found.id == plugin.package_id), None)
            environment = get_environment(tx, package.environment_id) if package else None
        return Lock(environment.lock) if environment else None

    def _failed(self, plugin: PluginRecord, description: Description, problem: Problem) -> PluginRecord:
        if self.dry_run:
            return plugin
        failed = description.model_copy(update={"failure": problem})
        with self.ledger.writing() as tx:
            changed = change_plugin(
                tx,
                plugin,
                state="broken",
                problem=str(problem),
                description=failed.model_dump(mode="json"),
                package_id=plugin.package_id,
            )
        return changed or plugin

    def _done(self, plugin: PluginRecord, description: Description, package_id: int) -> PluginRecord:
        done = description.model_copy(update={"failure": None, "installed": plugin.digest})
        with self.ledger.writing() as tx:
            changed = change_plugin(
                tx,
                plugin,
                state="ready",
                problem=None,
                description=done.model_dump(mode="json"),
                package_id=package_id,
            )
        return changed or plugin


def _requirements(description: Description) -> list[RequirementLine]:
    try:
        return parse_requirements(description.reading.metadata.requirements or "")
    except SourceInvalid as error:
        raise SourceInvalid(f"Its requirements: {error.what}", remedy=error.remedy) from error


def _installation(
    plugin: PluginRecord, lock: Lock, environment_id: str, *, built: bool, before: Lock | None
) -> Installation:
    return Installation(
        plugin,
        packages=tuple(map(str, lock.pins)),
        difference=Difference.between(before, lock),
        environment_id=environment_id,
        built=built,
    )


def _blaming(error: CollectError | AlreadyExists, requirements: Sequence[RequirementLine]) -> Problem:
    """The problem with the requirements that the resolver speaks of; all of them if it speaks of none."""
    if not isinstance(error, ResolutionFailed) or not requirements:
        return Problem.of(error)
    words = error.detail.lower().replace("_", "-")
    spoken = [
        line for line in requirements if re.search(rf"(?<![\w.-]){re.escape(line.name)}(?![\w-])", words)
    ]
    lines = "; ".join(map(str, spoken or requirements))
    return Problem(
        what=f"Its requirements cannot be had together: {lines}.", remedy=error.remedy, detail=error.detail
    )

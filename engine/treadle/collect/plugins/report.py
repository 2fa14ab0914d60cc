"""What an installation of plugins did, or would do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from treadle.collect.lock import Lock
from treadle.collect.plugins.identifiers import distribution_name
from treadle.collect.plugins.places import PlaceProblem
from treadle.collect.plugins.reading import Problem
from treadle.ledger.plugins import PluginRecord


@dataclass(frozen=True, slots=True)
class Difference:
    """What an environment has that another has not.

    Attributes:
        added: Distributions that are new, as `name==version`.
        changed: Those of another version, as `name 1 -> 2`.
        removed: Those that are there no more, as `name==version`.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Lock | None, after: Lock) -> Difference:
        """What changes from one lock to another; without the former everything is new."""
        old = versions(before) if before else {}
        new = versions(after)
        return cls(
            added=tuple(f"{name}=={new[name]}" for name in new if name not in old),
            changed=tuple(
                f"{name} {old[name]} -> {new[name]}" for name in new if old.get(name, new[name]) != new[name]
            ),
            removed=tuple(f"{name}=={old[name]}" for name in old if name not in new),
        )

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


@dataclass(frozen=True, slots=True)
class Installation:
    """What became of one plugin, or would become of it.

    Attributes:
        plugin: The plugin as it is now.
        packages: Every distribution of its environment as `name==version`; nothing if there is none.
        difference: What is new against the environment that it has so far.
        environment_id: The environment; None if there is none.
        built: Whether the environment is there.
        problem: Why it could not be installed, or cannot be; None if all is well.
    """

    plugin: PluginRecord
    packages: tuple[str, ...] = ()
    difference: Difference = Difference()
    environment_id: str | None = None
    built: bool = False
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What an installation did.

    Attributes:
        installations: One for each plugin that was to be installed.
        problems: Places that could not be looked into, if everything was to be installed.
        dry_run: Whether nothing was done, only tried.
    """

    installations: tuple[Installation, ...]
    problems: tuple[PlaceProblem, ...]
    dry_run: bool

    @property
    def failed(self) -> bool:
        """Whether a plugin or a place could not be had; a folder that is not there is no failure."""
        broken = any(installation.problem for installation in self.installations)
        return broken or any(not problem.missing for problem in self.problems)

    @property
    def differing(self) -> Mapping[str, Mapping[str, list[str]]]:
        """Distributions that plugins have in different versions: the plugins by distribution and version.

        Each plugin has an environment of its own, so this is no conflict.
        """
        users: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for installation in self.installations:
            own = distribution_name(installation.plugin.name or "")
            for package in installation.packages:
                name, _, version = package.partition("==")
                if name != own:
                    users[name][version].append(called(installation.plugin))
        return {name: dict(users[name]) for name in sorted(users) if len(users[name]) > 1}


def called(plugin: PluginRecord) -> str:
    """What people call a plugin: its identifier, or its place while nobody knows that."""
    return plugin.identifier or plugin.name or plugin.location


def versions(lock: Lock) -> dict[str, str]:
    """The versions of a lock's distributions by their names."""
    return {pin.name: pin.version for pin in lock.pins}

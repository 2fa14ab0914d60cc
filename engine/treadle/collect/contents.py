"""The package that an environment is built for, as it is found there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.collect.manifests.installed import TaskPackage, read_package
from treadle.collect.target import Target
from treadle.ledger.packages import PackageRecord


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be found in an environment that is built for a package.

    Attributes:
        name: Normalised name of the distribution.
        version: Its version as the ledger has it.
        extras: Normalised extras that were asked for.
    """

    name: str
    version: str
    extras: tuple[str, ...] = ()

    @classmethod
    def of_target(cls, target: Target) -> Contents:
        """That of something to be collected."""
        return cls(target.name, target.version, target.extras)

    @classmethod
    def of_record(cls, package: PackageRecord) -> Contents:
        """That of something that was collected; its extras are in its lock."""
        return cls(package.name, package.version)

    def complete(self, environment: Path) -> TaskPackage:
        """Do what is left to do once everything is installed, while the environment may be written.

        Raises:
            ManifestInvalid: None or several manifests, a bad one, or an executable that is not there.
            SourceInvalid: The distribution has no such extra.
        """
        return self.read(environment)

    def read(self, environment: Path) -> TaskPackage:
        """Read the tasks of an environment that is complete; errors are those of `complete`."""
        return read_package(environment, name=self.name, version=self.version, extras=self.extras)

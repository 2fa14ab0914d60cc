"""The package that an environment is built for, as it is found there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.collect.manifests.derived import derive_manifest
from treadle.collect.manifests.installed import TaskPackage, read_package
from treadle.collect.target import Target
from treadle.collect.uv import Uv
from treadle.ledger.packages import PackageRecord


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be found in an environment that is built for a package.

    Attributes:
        name: Normalised name of the distribution.
        version: Its version as the ledger has it.
        extras: Normalised extras that were asked for.
        editable: Folder of the project whose own files it uses; None: it has its own.
        may_have_none: Whether it needs no tasks.
    """

    name: str
    version: str
    extras: tuple[str, ...] = ()
    editable: Path | None = None
    may_have_none: bool = False

    @classmethod
    def of_target(cls, target: Target) -> Contents:
        """That of something to be collected."""
        return cls(
            name=target.name,
            version=target.version,
            extras=target.extras,
            editable=target.prepared.editable,
            may_have_none=target.origin == "plugin",
        )

    @classmethod
    def of_record(cls, package: PackageRecord) -> Contents:
        """That of something that was collected; its extras are in its lock."""
        return cls(
            name=package.name,
            version=package.version,
            editable=Path(package.source) if package.origin == "editable" else None,
            may_have_none=package.origin == "plugin",
        )

    def complete(self, environment: Path, uv: Uv) -> TaskPackage:
        """Do what is left to do once everything is installed, while the environment may be written.

        Raises:
            RequirementMissing: It has task functions, and nothing that describes them.
            ManifestInvalid: None or several manifests, a bad one, or an executable that is not there.
            SourceInvalid: The distribution has no such extra.
            BuildFailed: Its functions could not be described.
            Cancelled: The progress was told to stop.
        """
        derive_manifest(
            environment,
            name=self.name,
            editable=self.editable,
            seconds=uv.settings.build_seconds,
            progress=uv.progress,
        )
        return self.read(environment)

    def read(self, environment: Path) -> TaskPackage:
        """Read the tasks of an environment that is complete.

        Raises:
            ManifestInvalid: None or several manifests, a bad one, or an executable that is not there.
            SourceInvalid: The distribution has no such extra.
        """
        return read_package(
            environment,
            name=self.name,
            version=self.version,
            extras=self.extras,
            editable=self.editable,
            may_have_none=self.may_have_none,
        )

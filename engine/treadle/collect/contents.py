"""The package that an environment is built for, as it is found there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from treadle.collect.manifests.derived import derive_manifest, derived_folder
from treadle.collect.manifests.installed import TaskPackage, read_package
from treadle.collect.target import Target
from treadle.collect.uv import Uv
from treadle.ledger.packages import PackageRecord
from treadle.ledger.tables import Origin


@dataclass(frozen=True, slots=True)
class Contents:
    """What is to be found in an environment that is built for a package.

    Attributes:
        name: Normalised name of the distribution.
        version: Its version as the ledger has it.
        origin: What kind of source it came from.
        extras: Normalised extras that were asked for.
        editable: Folder of the project whose own files it uses; None: it has its own.
    """

    name: str
    version: str
    origin: Origin
    extras: tuple[str, ...] = ()
    editable: Path | None = None

    @classmethod
    def of_target(cls, target: Target) -> Contents:
        """That of something to be collected."""
        return cls(target.name, target.version, target.origin, target.extras, target.prepared.editable)

    @classmethod
    def of_record(cls, package: PackageRecord) -> Contents:
        """That of something that was collected; its extras are in its lock."""
        editable = Path(package.source) if package.origin == "editable" else None
        return cls(package.name, package.version, package.origin, editable=editable)

    def complete(self, environment: Path, uv: Uv) -> TaskPackage:
        """Do what is left to do once everything is installed, while the environment may be written.

        Args:
            environment: Its folder.
            uv: Limits, where things are kept, and who is told.

        Raises:
            ManifestInvalid: None or several manifests, a bad one, functions that cannot be tasks, or an
                executable that is not there.
            RequirementMissing: The functions cannot be described with what the environment has.
            SourceInvalid: The distribution has no such extra.
            BuildFailed: The package ended the process that imported it, or took too long.
            Cancelled: The progress was told to stop.
        """
        self._derive(environment, uv)
        return self._read(environment, uv)

    def read(self, environment: Path, uv: Uv) -> TaskPackage:
        """Read the tasks of an environment that is complete; errors are those of `complete`.

        The files of an editable package change while its environment stays: its functions are described anew.
        """
        if self.editable is not None:
            self._derive(environment, uv)
        return self._read(environment, uv)

    def _derive(self, environment: Path, uv: Uv) -> None:
        derive_manifest(
            environment,
            self._derived(environment, uv),
            name=self.name,
            editable=self.editable,
            seconds=uv.settings.build_seconds,
            progress=uv.progress,
        )

    def _read(self, environment: Path, uv: Uv) -> TaskPackage:
        return read_package(
            environment,
            name=self.name,
            version=self.version,
            extras=self.extras,
            derived=self._derived(environment, uv),
            editable=self.editable,
            may_have_none=self.origin == "plugin",
        )

    def _derived(self, environment: Path, uv: Uv) -> Path:
        if self.editable is None:
            return derived_folder(environment)
        return uv.settings.editable_folder / environment.name.partition(".")[0]

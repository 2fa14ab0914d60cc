"""All that a person or a site may set."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from treadle.errors import StorageFull, UnknownName
from treadle.model.profile import LOCAL, SLURM, THIS_MACHINE, ClusterProfile

PREFIX = "TREADLE_"


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""A list, written as words between spaces or commas where it is a variable of the environment."""


def _base_interpreter() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


class Settings(BaseSettings):
    """What a person or a site may set; every derived place is a property.

    Built by hand it holds the given values and defaults; `load_settings` reads environment and files.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    home: Path = Field(Path("~/.treadle"), description="folder of ledger, environments, logs and secrets")
    ledger_url: str | None = Field(
        None, description="database of the ledger, postgresql+psycopg://…; unset: SQLite in the home folder"
    )
    python: Path = Field(
        default_factory=_base_interpreter, description="interpreter that environments are built on"
    )
    pythons: Annotated[dict[str, Path], NoDecode] = Field(
        default_factory=dict,
        description="interpreters that a collection may ask for by version: 3.12=/usr/bin/python3.12 …",
    )
    exclude_newer: str | None = Field(
        None, description="date or time; what the package index got later is not seen"
    )
    wheelhouse: Path | None = Field(
        None, description="folder of wheels that everything is installed from, without any network"
    )
    build_sources: Words = Field(
        ("folder", "archive", "git"), description="kinds of sources whose own build code may be run"
    )
    builds: Words = Field((), description="distributions of an index that may be built if they have no wheel")
    build_seconds: int = Field(1800, ge=1, description="what one build or installation may take")
    git_schemes: Words = Field(("https", "ssh", "file"), description="kinds of URLs that git may fetch from")
    git_hosts: Words = Field(("*",), description="hosts that git may fetch from; *: any")
    plugin_folders: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), description="folders that are searched for plugins, separated by colons"
    )
    git_plugins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="git repositories of plugins, one line each: git+URL@ref#subdirectory=folder"
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="units at once on this machine"
    )
    runs_at_once: int = Field(
        4, ge=1, description="flow runs of deployments that `treadle up` drives at once on this machine"
    )
    recover: int = Field(
        0, ge=0, description="how often a run whose driver died is taken up by itself; 0: it is only offered"
    )
    compare_contents: bool = Field(
        False, description="whether files decide by their content if a unit is reused, not by size and time"
    )
    host: str = Field("127.0.0.1", min_length=1, description="address that `treadle up` listens on")
    port: int = Field(4200, ge=0, le=65535, description="port of `treadle up`; 0: any free one")
    clusters: dict[str, ClusterProfile] = Field(
        default_factory=dict,
        description="clusters that units can run on; `local` and `slurm` are always there",
    )

    _sources: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the caller alone: `load_settings` layers the rest and remembers its source."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        try:
            return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100 - resolve() would follow links
        except RuntimeError as error:
            raise ValueError("no home folder is known for that user") from error

    @field_validator("python")
    @classmethod
    def _absolute_python(cls, python: Path) -> Path:
        if not python.is_absolute():
            raise ValueError("the interpreter needs an absolute path, such as /usr/bin/python3.11")
        return python

    @field_validator("pythons", mode="before")
    @classmethod
    def _named_interpreters(cls, pythons: object) -> object:
        if not isinstance(pythons, str):
            return pythons
        pairs = (word.partition("=") for word in pythons.replace(",", " ").split())
        return {version: path for version, _, path in pairs}

    @field_validator("pythons")
    @classmethod
    def _absolute_pythons(cls, pythons: dict[str, Path]) -> dict[str, Path]:
        for version, path in pythons.items():
            if not path.is_absolute():
                raise ValueError(f"the interpreter of {version} needs an absolute path, not {str(path)!r}")
        return pythons

    @field_validator("plugin_folders", mode="before")
    @classmethod
    def _between_colons(cls, folders: object) -> object:
        return tuple(filter(None, folders.split(":"))) if isinstance(folders, str) else folders

    @field_validator("plugin_folders")
    @classmethod
    def _absolute_folders(cls, folders: tuple[Path, ...]) -> tuple[Path, ...]:
        try:
            return tuple(Path(os.path.abspath(folder.expanduser())) for folder in folders)  # noqa: PTH100 - resolve() would follow links
        except RuntimeError as error:
            raise ValueError("no home folder is known for that user") from error

    @field_validator("git_plugins", mode="before")
    @classmethod
    def _line_by_line(cls, lines: object) -> object:
        """Keep empty lines between others, so that a line has the number it was written with."""
        return tuple(map(str.strip, lines.rstrip().split("\n"))) if isinstance(lines, str) else lines

    @field_validator("clusters", mode="before")
    @classmethod
    def _local_is_this_machine(cls, clusters: object) -> object:
        if isinstance(clusters, dict) and isinstance(local := clusters.get(LOCAL), dict):
            return {**clusters, LOCAL: {"kind": "local", **local}}
        return clusters

    @field_validator("clusters")
    @classmethod
    def _some_are_always_there(cls, clusters: dict[str, ClusterProfile]) -> dict[str, ClusterProfile]:
        return {LOCAL: THIS_MACHINE, SLURM: ClusterProfile()} | clusters

    def cluster(self, name: str) -> ClusterProfile:
        """Return the profile of a cluster.

        Raises:
            UnknownName: There is no such cluster.
        """
        if name not in self.clusters:
            remedy = (
                f"Choose one of {', '.join(sorted(self.clusters))}, or describe it under [clusters.{name}]."
            )
            raise UnknownName(f"There is no cluster {name!r}.", remedy=remedy)
        return self.clusters[name]

    @property
    def environments_folder(self) -> Path:
        """Folder of the built environments, one folder an id."""
        return self.home / "environments"

    @property
    def wheels_folder(self) -> Path:
        """Folder of wheels built from local folders or copied from files, by digest."""
        return self.home / "wheels"

    @property
    def bytecode_folder(self) -> Path:
        """Folder of compiled sources that environments share, one folder a build of Python."""
        return self.home / "bytecode"

    @property
    def uv_cache_folder(self) -> Path:
        """Folder of uv's cache where its usual one is on another file system."""
        return self.home / "uv-cache"

    @property
    def call_cache_folder(self) -> Path:
        """Folder of the call cache where nothing else is configured, and of what is kept of units."""
        return self.home / "cache"

    @property
    def editable_folder(self) -> Path:
        """Folder of what is derived from editable packages, one folder an environment."""
        return self.home / "editable"

    @property
    def checkouts_folder(self) -> Path:
        """Folder of the files of plugins in git, one folder a commit."""
        return self.home / "checkouts"

    @property
    def logs_folder(self) -> Path:
        """Folder of units' output, one folder a run."""
        return self.home / "logs"

    def run_logs_folder(self, run_id: int) -> Path:
        """Folder of one run's logs."""
        return self.logs_folder / f"run-{run_id:06d}"

    @property
    def cache_folder(self) -> Path:
        """Fractal's cache folder of a user: `FRACTAL_CACHE_DIR` of units."""
        return self.home / "fractal" / ".fractal_cache"

    @property
    def server_folder(self) -> Path:
        """Folder of Prefect's database, the server's secret and its address; mode 0700."""
        return self.home / "server"

    def create_home(self) -> Path:
        """Make the home folder, readable by its owner alone, unless it is there.

        Raises:
            StorageFull: It cannot be made, is not a folder, or may not be written.
        """
        source = self._sources.get("home", "default")
        remedy = f"Make room or mend its permissions, or name another folder in {PREFIX}HOME."
        try:
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            what = f"The home folder {self.home} ({source}) cannot be made: {error.strerror}."
            raise StorageFull(what, remedy=remedy) from error
        if not os.access(self.home, os.W_OK | os.X_OK):
            what = f"The home folder {self.home} ({source}) may not be written."
            raise StorageFull(what, remedy=remedy)
        return self.home

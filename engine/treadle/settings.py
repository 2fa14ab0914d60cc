"""All settings of Treadle: environment variables `TREADLE_*`, then `treadle.toml`, then defaults."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _base_interpreter() -> Path:
    return Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))


class Settings(BaseSettings):
    """What a person or a site may set; every derived place is a property.

    Source of each value: see `treadle config show`.
    """

    model_config = SettingsConfigDict(env_prefix="TREADLE_", extra="forbid", frozen=True)

    home: Path = Field(Path("~/.treadle"), description="folder of ledger, environments, logs and secrets")
    ledger_url: str | None = Field(
        None, description="database of the ledger; unset: SQLite in the home folder"
    )
    python: Path = Field(
        default_factory=_base_interpreter, description="interpreter that environments are built on"
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="units at once on this machine"
    )
    host: str = Field("127.0.0.1", description="address that `treadle up` listens on")
    port: int = Field(4200, ge=0, le=65535, description="port of `treadle up`; 0: any free one")

    @property
    def environments_folder(self) -> Path:
        """Folder of the built environments, one folder an id."""
        return self.home / "environments"

    @property
    def wheels_folder(self) -> Path:
        """Folder of wheels built from local folders or copied from files, by digest."""
        return self.home / "wheels"

    @property
    def logs_folder(self) -> Path:
        """Folder of units' output, one folder a run."""
        return self.home / "logs"

    @property
    def server_folder(self) -> Path:
        """Folder of Prefect's database, the server's secret and its address; mode 0700."""
        return self.home / "server"

"""All settings of Treadle, and where each value comes from.

A value is taken, one setting at a time, from the first of these that has it:

1. a flag of the command;
2. the environment variable `TREADLE_` and the setting's name in capitals;
3. `treadle.toml` in the current folder or the nearest folder above it that has one; the search ends
   at the folder that holds `.git`, or at the root;
4. `treadle.toml` in the home folder of Treadle, which may set everything but `home`;
5. the default.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from treadle.errors import SettingsInvalid, StorageFull

FILE_NAME = "treadle.toml"
PREFIX = "TREADLE_"


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
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, description="units at once on this machine"
    )
    host: str = Field("127.0.0.1", min_length=1, description="address that `treadle up` listens on")
    port: int = Field(4200, ge=0, le=65535, description="port of `treadle up`; 0: any free one")

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

    def run_logs_folder(self, run_id: int) -> Path:
        """Folder of one run's logs."""
        return self.logs_folder / f"run-{run_id:06d}"

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


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as `treadle config show` prints it; secrets are masked."""

    name: str
    value: str
    source: str
    meaning: str


@dataclass(frozen=True, slots=True)
class _Layer:
    """Values of one source; `places` says of each value where it stands."""

    values: Mapping[str, object]
    places: Mapping[str, str]


def load_settings(flags: Mapping[str, object] | None = None, *, folder: Path | None = None) -> Settings:
    """Read all settings.

    Args:
        flags: Values given on the command line, by the setting's name; None stands for "not given".
        folder: Where the search for `treadle.toml` starts; the current folder if None.

    Raises:
        SettingsInvalid: A file cannot be read, or a name or value is wrong; every problem is named
            with its place.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    layers = [_Layer(given, dict.fromkeys(given, "flag"))]
    layers.append(_environment_layer())
    project_file = _find_file(folder or Path.cwd())
    if project_file is not None:
        layers.append(_file_layer(project_file))
    home_file = _merge(layers).home / FILE_NAME
    if home_file != project_file and home_file.is_file():
        layer = _file_layer(home_file)
        if "home" in layer.values:
            what = f"{layer.places['home']} sets home, but a file inside the home folder cannot move it."
            raise SettingsInvalid(what, remedy=f"Remove that line; set {PREFIX}HOME instead.")
        layers.append(layer)
    return _merge(layers)


def describe(settings: Settings) -> list[SettingRow]:
    """Return every setting with its value, the source of that value and its meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        fallback = "argument" if name in settings.model_fields_set else "default"
        source = settings._sources.get(name, fallback)
        rows.append(SettingRow(name, _masked(value), source, field.description or ""))
    return rows


def _masked(value: object) -> str:
    if value is None:
        return ""
    return re.sub(r"(?<=://)([^/:@]*):[^@]*@", r"\1:***@", str(value))


def _shown(value: object) -> str:
    return repr(_masked(value)) if isinstance(value, str) else repr(value)


def _merge(layers: list[_Layer]) -> Settings:
    values: dict[str, object] = {}
    places: dict[str, str] = {}
    for layer in reversed(layers):
        values.update(layer.values)
        places.update(layer.places)
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # validated here, by pydantic
    except ValidationError as error:
        raise _invalid(error, places) from error
    settings._sources.update(places)
    return settings


def _invalid(error: ValidationError, places: Mapping[str, str]) -> SettingsInvalid:
    problems = []
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        message = problem["msg"].removeprefix("Value error, ")
        place = places.get(name, "default")
        if problem["type"] == "extra_forbidden":
            problems.append(f"{place}: there is no setting {name!r}.")
        else:
            problems.append(f"{place}: {name} cannot be {_shown(problem['input'])}: {message}.")
    known = ", ".join(Settings.model_fields)
    return SettingsInvalid(" ".join(problems), remedy=f"Correct or remove it; the settings are {known}.")


def _environment_layer() -> _Layer:
    values: dict[str, object] = dict(EnvSettingsSource(Settings)())
    for variable, value in os.environ.items():
        if variable.startswith(PREFIX):
            values.setdefault(variable.removeprefix(PREFIX).lower(), value)
    places = {name: f"environment variable {PREFIX}{name.upper()}" for name in values}
    return _Layer(values, places)


def _find_file(folder: Path) -> Path | None:
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
        if (candidate / ".git").exists():
            return None
    return None


def _file_layer(path: Path) -> _Layer:
    _refuse_strangers_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise SettingsInvalid(what, remedy="Mend its permissions or remove it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"{path} is not valid TOML: {error}."
        raise SettingsInvalid(what, remedy="Correct that line; each line reads like: workers = 2") from error
    places = {name: _place(path, text, name) for name in values}
    home = values.get("home")
    if isinstance(home, str) and not home.startswith("~"):
        values["home"] = str(path.parent / home)
    return _Layer(values, places)


def _refuse_strangers_file(path: Path) -> None:
    """Refuse a file another user put on the way: it chooses interpreters and databases."""
    user = os.getuid()
    owner = path.stat().st_uid
    if user != 0 and owner not in (user, 0):
        what = f"{path} belongs to another user, whose settings are not followed."
        raise SettingsInvalid(what, remedy="Copy it to a folder of your own, or work in another folder.")


def _place(path: Path, text: str, name: str) -> str:
    pattern = re.compile(rf"""\s*\[?\s*["']?{re.escape(name)}["']?\s*[=.\]]""")
    for number, line in enumerate(text.splitlines(), start=1):
        if pattern.match(line):
            return f"{path}, line {number}"
    return str(path)

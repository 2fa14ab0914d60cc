"""Where values come from: the environment, `treadle.toml`, the variables of older servers."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import EnvSettingsSource, SettingsError

from treadle.errors import SettingsInvalid
from treadle.model.fractal_slurm import fractal_table
from treadle.model.profile import SLURM
from treadle.settings.values import PREFIX, Settings

FILE_NAME = "treadle.toml"

_HEADER = re.compile(r"\s*\[+([^\[\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")
_FRACTAL = "FRACTAL_SLURM_"
_FRACTAL_VALUES = {
    "WORKER_PYTHON": "python",
    "POLL_INTERVAL": "poll_seconds",
    "SBATCH_SLEEP": "submit_interval_seconds",
}
_QHANA = {"PLUGIN_FOLDERS": "plugin_folders", "GIT_PLUGINS": "git_plugins"}


@dataclass(frozen=True, slots=True)
class Layer:
    """Values of one source; `places` says of each value where it stands, those in tables by dotted names."""

    values: Mapping[str, object]
    places: Mapping[str, str]

    def without_clusters(self) -> Layer:
        """Return it without what it says of clusters."""
        return Layer({name: self.values[name] for name in self.values if name != "clusters"}, self.places)


def environment_layer() -> Layer:
    """Read the variables that begin with `TREADLE_`.

    Raises:
        SettingsInvalid: The clusters are no JSON.
    """
    try:
        values: dict[str, object] = dict(EnvSettingsSource(Settings)())
    except SettingsError as error:
        what = f"environment variable {PREFIX}CLUSTERS: clusters must be a JSON object of objects."
        raise SettingsInvalid(what, remedy="Correct it, or write [clusters.NAME] in treadle.toml.") from error
    for variable, value in os.environ.items():
        if variable.startswith(PREFIX):
            values.setdefault(variable.removeprefix(PREFIX).lower(), value)
    places = {
        name: f"environment variable {PREFIX}{name.partition('.')[0].upper()}"
        for name in dotted_names(values)
    }
    return Layer(values, places)


def find_file(folder: Path) -> Path | None:
    """Return the `treadle.toml` of a folder or of the nearest above it, within its repository."""
    for candidate in (folder, *folder.parents):
        if (candidate / FILE_NAME).is_file():
            return candidate / FILE_NAME
        if (candidate / ".git").exists():
            return None
    return None


def file_layer(path: Path) -> Layer:
    """Read a `treadle.toml`.

    Raises:
        SettingsInvalid: It is another user's, cannot be read, or is no TOML.
    """
    _refuse_strangers_file(path)
    try:
        text = path.read_text(encoding="utf-8")
        values = tomllib.loads(text)
        values.pop("cache", None)  # the configuration of caches, which the cache reads itself
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise SettingsInvalid(what, remedy="Mend its permissions or remove it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"{path} is not valid TOML: {error}."
        raise SettingsInvalid(what, remedy="Correct that line; each line reads like: workers = 2") from error
    lines = dict(_lines(text))
    places = {name: _place(path, lines, name) for name in dotted_names(values)}
    home = values.get("home")
    if isinstance(home, str) and not home.startswith("~"):
        values["home"] = str(path.parent / home)
    if "plugin_folders" in values:
        values["plugin_folders"] = _beside(path.parent, values["plugin_folders"])
    return Layer(values, places)


def fractal_layer(cache_folder: Path) -> Layer:
    """Read what an older Fractal server is told of its SLURM (Fractal 3.1, 3.3), for the cluster `slurm`.

    Args:
        cache_folder: Folder that the paths of `user_local_exports` are relative to.

    Raises:
        SettingsInvalid: The configuration file cannot be read or is not valid, or a number is none.
    """
    table: dict[str, object] = {}
    places: dict[str, str] = {}
    variable = f"{_FRACTAL}CONFIG_FILE"
    if path := os.environ.get(variable):
        table.update(_fractal_file(Path(path), variable, cache_folder))
        places.update(dict.fromkeys(dotted_names({"clusters": {SLURM: table}}), f"{path} ({variable})"))
    for ending, name in _FRACTAL_VALUES.items():
        if text := os.environ.get(_FRACTAL + ending):
            table[name] = text if name == "python" else _number(text, _FRACTAL + ending)
            places[f"clusters.{SLURM}.{name}"] = f"environment variable {_FRACTAL}{ending}"
    interval = table.get("poll_seconds")
    if isinstance(interval, float) and interval > 60:
        table["poll_seconds_max"] = interval
    return Layer({"clusters": {SLURM: table}} if table else {}, places)


def qhana_layer() -> Layer:
    """Read where a QHAna plugin runner is told to look for plugins (QHAna 3.2)."""
    values = {name: os.environ[variable] for variable, name in _QHANA.items() if os.environ.get(variable)}
    return Layer(
        values,
        {name: f"environment variable {variable}" for variable, name in _QHANA.items() if name in values},
    )


def dotted_names(values: Mapping[str, object]) -> Iterator[str]:
    """Return the name of each value; those of clusters by their tables."""
    for name, value in values.items():
        if name == "clusters" and isinstance(value, Mapping):
            yield from _leaves(value, name)
        else:
            yield name


def _leaves(table: Mapping[str, object], place: str) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping) and name != "exports":
            yield from _leaves(value, f"{place}.{name}")
        else:
            yield f"{place}.{name}"


def _beside(folder: Path, named: object) -> object:
    """Make the folders that a file lists relative to that file; no list of texts is left to be refused."""
    folders = list(filter(None, named.split(":"))) if isinstance(named, str) else named
    if not isinstance(folders, list):
        return folders
    return [
        str(folder / name) if isinstance(name, str) and not name.startswith("~") else name for name in folders
    ]


def _refuse_strangers_file(path: Path) -> None:
    """Refuse a file another user put on the way: it chooses interpreters and databases."""
    user = os.getuid()
    owner = path.stat().st_uid
    if user != 0 and owner not in (user, 0):
        what = f"{path} belongs to another user, whose settings are not followed."
        raise SettingsInvalid(what, remedy="Copy it to a folder of your own, or work in another folder.")


def _lines(text: str) -> Iterator[tuple[str, int]]:
    """Return where tables and values begin, by dotted names; of equal names the first is the last to come."""
    table = ""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if match := _HEADER.match(line):
            table = _spelled(match[1])
            found.append((table, number))
        elif match := _KEY.match(line):
            found.append((f"{table}.{_spelled(match[1])}".lstrip("."), number))
    yield from reversed(found)


def _spelled(name: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in name.split("."))


def _place(path: Path, lines: Mapping[str, int], name: str) -> str:
    while name and name not in lines:
        inside = next((other for other in lines if other.startswith(f"{name}.")), None)
        name = inside or name.rpartition(".")[0]
    return f"{path}, line {lines[name]}" if name else str(path)


def _fractal_file(path: Path, variable: str, cache_folder: Path) -> Mapping[str, object]:
    remedy = f"Correct the file, or take {variable} out of the environment."
    try:
        return fractal_table(path.read_text(encoding="utf-8"), cache_folder=str(cache_folder))
    except (OSError, UnicodeDecodeError) as error:
        what = f"{path}, which {variable} names, cannot be read: {error}."
        raise SettingsInvalid(what, remedy=remedy) from error
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{path}, which {variable} names: {error.what}", remedy=remedy) from error


def _number(text: str, variable: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        what = f"environment variable {variable}: {text!r} is no number of seconds."
        raise SettingsInvalid(what, remedy="Write a number such as 5.") from error

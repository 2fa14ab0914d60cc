"""Where the configuration of caches is found: `fleche.toml` and the table `[cache]` of `treadle.toml`.

Files are taken in this order, and of equal tables the first one counts, whole:

1. from the working folder upward to the home folder, or to the root: in each folder first `treadle.toml`,
   if it has a table `[cache]`, then `fleche.toml`; a file with `[default] root = true` is the last;
2. `treadle.toml` in the home folder of Treadle;
3. `$XDG_CONFIG_HOME/fleche/cache.toml`, by default `~/.config/fleche/cache.toml`.

Discovery is that of fleche 0.22 (its contract, 3.1), for two names of files instead of one.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from treadle.errors import SettingsInvalid

FLECHE_FILE = "fleche.toml"
TREADLE_FILE = "treadle.toml"
DEFAULT_TABLE = "default"

_SQLITE = "sqlite:///"
_IN_MEMORY = ":memory:"


@dataclass(frozen=True, slots=True)
class Configuration:
    """All tables that count, and where they stand.

    Attributes:
        tables: By name; paths in them are no longer relative.
        places: The file of each table.
        looked_at: The files that were read or would have been, in their order.
        home: The home folder of Treadle.
    """

    tables: Mapping[str, object]
    places: Mapping[str, Path]
    looked_at: tuple[Path, ...]
    home: Path

    def described_files(self) -> str:
        """Name the files that were looked at, as an error does."""
        return ", ".join(map(str, self.looked_at)) or "none"


def read_configuration(start: Path | None = None) -> Configuration:
    """Read the tables of all files.

    Args:
        start: Folder where the search begins; the working folder if None.

    Raises:
        SettingsInvalid: A file cannot be read, is no TOML, or is not to be trusted.
    """
    folder = _absolute(start)
    home = treadle_home(folder)
    tables: dict[str, object] = {}
    places: dict[str, Path] = {}
    looked_at = []
    for path in _candidates(folder, home):
        found = _read(path)
        looked_at.append(path)
        for name, table in (found or {}).items():
            if name not in tables:
                tables[name] = table
                places[name] = path
        if found is not None and _is_last(found):
            break
    return Configuration(tables, places, tuple(looked_at), home)


def treadle_home(folder: Path) -> Path:
    """Return the home folder of Treadle, by the rule of its settings.

    That is `TREADLE_HOME`, else `home` in the nearest `treadle.toml` of the repository, else `~/.treadle`.
    """
    home = Path(os.environ.get("TREADLE_HOME") or "~/.treadle")
    project = None if os.environ.get("TREADLE_HOME") else _project_file(folder)
    try:
        named = _toml(project).get("home") if project is not None else None
        if project is not None and isinstance(named, str):
            home = project.parent / Path(named).expanduser()
        return Path(os.path.abspath(home.expanduser()))  # noqa: PTH100 - resolve() would follow links
    except RuntimeError as error:
        raise SettingsInvalid(
            "No home folder is known for this user.", remedy="Set HOME or TREADLE_HOME."
        ) from error


def is_strangers(path: Path) -> bool:
    """Whether a file belongs neither to this user nor to root."""
    return os.getuid() != 0 and path.stat().st_uid not in (os.getuid(), 0)


def _absolute(start: Path | None) -> Path:
    try:
        return (start or Path.cwd()).absolute()
    except FileNotFoundError as error:
        raise SettingsInvalid(
            "The working folder is gone, so the configuration of caches cannot be looked for.",
            remedy="Change to a folder that is there.",
        ) from error


def _candidates(folder: Path, home: Path) -> Iterator[Path]:
    """Yield the files that are there, and the two fallbacks whether they are there or not."""
    seen = set()
    try:
        last = Path.home().absolute()
    except RuntimeError:
        last = None
    for above in (folder, *folder.parents):
        for name in (TREADLE_FILE, FLECHE_FILE):
            if _is_there(above / name):
                seen.add(above / name)
                yield above / name
        if above == last:
            break
    if home / TREADLE_FILE not in seen:
        yield home / TREADLE_FILE
    configured = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    try:
        yield Path(configured).expanduser() / "fleche" / "cache.toml"
    except RuntimeError:
        return


def _project_file(folder: Path) -> Path | None:
    for above in (folder, *folder.parents):
        if _is_there(above / TREADLE_FILE):
            return above / TREADLE_FILE
        if (above / ".git").exists():
            return None
    return None


def _is_there(path: Path) -> bool:
    """Whether there is a file, as far as this user may know."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read(path: Path) -> Mapping[str, object] | None:
    """Return the tables of caches in a file; None if there are none."""
    try:
        if not path.is_file():
            return None
        _refuse_strangers(path)
    except OSError as error:
        what = f"{path} cannot be looked for: {error.strerror}."
        raise SettingsInvalid(what, remedy="Mend the permissions or the name of its folder.") from error
    tables = _toml(path)
    if path.name == TREADLE_FILE:
        cache = tables.get("cache")
        if cache is None:
            return None
        if not isinstance(cache, Mapping):
            raise SettingsInvalid(
                f"{path}: cache is no table.", remedy="Write [cache.default] and [cache.NAME]."
            )
        tables = cache
    return {name: _rebased(table, path.parent) for name, table in tables.items()}


def _toml(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}."
        raise SettingsInvalid(what, remedy="Mend its permissions or remove it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        what = f"{path} is not valid TOML: {error}."
        raise SettingsInvalid(what, remedy="Correct that line.") from error


def _refuse_strangers(path: Path) -> None:
    """Refuse a file that another user put on the way: it names files to unpickle and programs to start.

    A colleague's `fleche.toml` in a folder that only its members can write to is followed, as fleche does.
    """
    if not is_strangers(path):
        return
    by_anybody = path.parent.stat().st_mode & 0o002 or path.stat().st_mode & 0o002
    if path.name != FLECHE_FILE or by_anybody:
        what = f"{path} belongs to another user, whose configuration of caches is not followed."
        raise SettingsInvalid(what, remedy="Copy it to a folder of your own, or work in another folder.")


def _is_last(tables: Mapping[str, object]) -> bool:
    default = tables.get(DEFAULT_TABLE)
    return isinstance(default, Mapping) and default.get("root") is True


def _rebased(value: object, folder: Path) -> object:
    """Make every relative `root` and `url` relative to the folder of its file."""
    if isinstance(value, list):
        return [_rebased(item, folder) for item in value]
    if not isinstance(value, Mapping):
        return value
    rebased: dict[object, object] = {}
    for name, item in value.items():
        if name == "root" and isinstance(item, str):
            rebased[name] = _rebased_path(item, folder)
        elif name == "url" and isinstance(item, str):
            rebased[name] = _rebased_url(item, folder)
        else:
            rebased[name] = _rebased(item, folder)
    return rebased


def _rebased_path(path: str, folder: Path) -> str:
    return path if path.startswith("~") else str(folder / path)


def _rebased_url(url: str, folder: Path) -> str:
    if url.startswith(_SQLITE):
        path = url.removeprefix(_SQLITE)
        return url if path in ("", _IN_MEMORY) else _SQLITE + _rebased_path(path, folder)
    is_url = "://" in url or url.startswith("sqlite:") or url == _IN_MEMORY
    return url if is_url else _rebased_path(url, folder)

"""Where uv keeps what it has fetched and unpacked, and how it gets from there into environments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from treadle.settings import Settings

_LOCK_SECONDS = "600"
"""How long uv waits for a lock of its cache: as long as another uv may take to fetch something large."""


def cache_variables(inherited: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Variables that make uv share files with environments where that is possible.

    Files are shared by hard link, which needs one file system: uv's usual cache if it is on that of the home
    folder, else one inside the home folder. A link by name is never made: environments outlive the cache.
    """
    variables = {"UV_LOCK_TIMEOUT": inherited.get("UV_LOCK_TIMEOUT") or _LOCK_SECONDS}
    if not inherited.get("UV_CACHE_DIR") and not _same_file_system(usual_cache(inherited), settings.home):
        variables["UV_CACHE_DIR"] = str(settings.uv_cache_folder)
    if inherited.get("UV_LINK_MODE") == "symlink":
        variables["UV_LINK_MODE"] = "hardlink"
    return variables


def archives_folder(inherited: Mapping[str, str], settings: Settings) -> Path:
    """Where uv puts what it has unpacked, each in a folder of its own; a place that uv may change."""
    chosen = {**inherited, **cache_variables(inherited, settings)}.get("UV_CACHE_DIR")
    return (Path(chosen) if chosen else usual_cache(inherited)) / "archive-v0"


def usual_cache(inherited: Mapping[str, str]) -> Path:
    """The folder that uv takes by itself (XDG base directories)."""
    caches = inherited.get("XDG_CACHE_HOME", "")
    base = (
        Path(caches) if caches.startswith("/") else Path(inherited.get("HOME") or "~").expanduser() / ".cache"
    )
    return base / "uv"


def _same_file_system(one: Path, other: Path) -> bool:
    return _device(one) == _device(other)


def _device(path: Path) -> int:
    there = next(place for place in (path, *path.parents) if place.exists())
    return there.stat().st_dev

"""Whether this machine has what Treadle needs to run anything."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from treadle.collect.environments.build import is_usable
from treadle.collect.environments.interpreter import examine
from treadle.collect.uv import version as uv_version
from treadle.ledger import Ledger, packages, plugins, runs, sqlite_url
from treadle.model.findings import Finding, Verdict, failure
from treadle.settings import PREFIX, Settings

HOME = "home folder"
FILE_SYSTEM = "file system"
LEDGER = "ledger"
INTERPRETER = "interpreter"
UV = "uv"
PACKAGES = "packages"
PLUGINS = "plugins"

_NETWORK = ("nfs", "cifs", "smb", "lustre", "gpfs", "beegfs", "ceph", "glusterfs", "afs", "fuse.")
_OCTAL = re.compile(r"\\([0-7]{3})")
_MOUNTS = Path("/proc/self/mountinfo")


def examine_installation(settings: Settings) -> Iterator[Finding]:
    """Make all checks of this machine; none stops the others."""
    checks: tuple[tuple[str, Callable[[Settings], Finding]], ...] = (
        (HOME, _home),
        (FILE_SYSTEM, _file_system),
        (LEDGER, _ledger),
        (INTERPRETER, _interpreter),
        (UV, _uv),
        (PACKAGES, _packages),
        (PLUGINS, _plugins),
    )
    for check, look in checks:
        try:
            yield look(settings)
        except Exception as error:  # noqa: BLE001 - a broken check never stops the others
            yield failure(check, error)


def file_system_of(folder: Path, mounts: str) -> str:
    """Return the kind of file system that a folder is on, by what /proc/self/mountinfo holds.

    The kind is empty where that does not tell.
    """
    found, kind = Path(), ""
    for line in mounts.splitlines():
        fields = line.split()
        point = Path(_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[4]))
        if folder.is_relative_to(point) and len(point.parts) >= len(found.parts):
            found, kind = point, fields[fields.index("-") + 1]
    return kind


def is_network(kind: str) -> bool:
    """Whether a kind of file system is one that several machines share."""
    return kind.startswith(_NETWORK)


def _home(settings: Settings) -> Finding:
    home = settings.create_home()
    mode = stat.S_IMODE(home.stat().st_mode)
    with tempfile.TemporaryFile(dir=home) as file:
        file.write(b"treadle")
        os.fsync(file.fileno())
    if mode & 0o077:
        what = f"Others may look into {home}, which holds secrets and logs: its mode is {mode:04o}."
        return Finding(HOME, Verdict.FAILED, what, f"Close it to others: chmod 700 {home}")
    return Finding(HOME, Verdict.OK, f"{home} is writable, and closed to others")


def _file_system(settings: Settings) -> Finding:
    kind = file_system_of(settings.home.resolve(), _MOUNTS.read_text())
    if settings.ledger_url is None and is_network(kind):
        return Finding(
            FILE_SYSTEM,
            Verdict.WARNING,
            f"{settings.home} is on {kind}, where SQLite's locks hold on one machine at a time",
            f"Use treadle on one machine only, or set {PREFIX}LEDGER_URL to a database in PostgreSQL.",
        )
    return Finding(FILE_SYSTEM, Verdict.OK, f"{settings.home} is on {kind or 'one of unknown kind'}")


def _ledger(settings: Settings) -> Finding:
    with _open_ledger(settings) as ledger:
        with ledger.writing() as tx:
            latest = runs.list_runs(tx, 1)
        known = f"the latest run is {latest[0].id}" if latest else "it has no run yet"
        return Finding(LEDGER, Verdict.OK, f"{ledger.place} can be read and written; {known}")


def _interpreter(settings: Settings) -> Finding:
    default = examine(settings.python)
    others = [f"{version}: {examine(path).path}" for version, path in settings.pythons.items()]
    return Finding(INTERPRETER, Verdict.OK, "; ".join([f"{default.path}: Python {default.version}", *others]))


def _uv(_settings: Settings) -> Finding:
    return Finding(UV, Verdict.OK, uv_version())


def _packages(settings: Settings) -> Finding:
    with _open_ledger(settings) as ledger, ledger.reading() as tx:
        active = [package for package in packages.list_packages(tx) if package.active]
        there = {environment.id: Path(environment.path) for environment in packages.list_environments(tx)}
    broken = [
        f"{package.name} {package.version}"
        for package in active
        if package.origin not in packages.NOT_OURS and not is_usable(there[package.environment_id])
    ]
    if broken:
        what = f"Units of {', '.join(broken)} cannot run: the environment or its interpreter is gone"
        return Finding(PACKAGES, Verdict.FAILED, what, "Make them again: treadle package repair NAME")
    return Finding(PACKAGES, Verdict.OK, f"{len(active)} packages can be used")


def _plugins(settings: Settings) -> Finding:
    with _open_ledger(settings) as ledger, ledger.reading() as tx:
        found = [plugin for plugin in plugins.list_plugins(tx) if plugin.state != "gone"]
    broken = [f"{plugin.identifier or plugin.location}" for plugin in found if plugin.state == "broken"]
    if broken:
        what = f"Plugins that cannot be used: {', '.join(broken)}"
        return Finding(PLUGINS, Verdict.FAILED, what, "See why: treadle plugins list")
    return Finding(PLUGINS, Verdict.OK, f"{len(found)} plugins are known, none of them broken")


def _open_ledger(settings: Settings) -> Ledger:
    return Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite"))

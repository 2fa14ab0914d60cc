"""Collecting packages: from nothing, again, several at once, and what compiling saves."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import ROOT, Site

from treadle.collect import Progress, collect
from treadle.ledger import Ledger, sqlite_url
from treadle.settings import Settings
from treadle.testing.command import Command

PUBLIC = ("fractal-tasks-core==2.1.0", "fractal_tasks_core.threshold_segmentation")
SMALL = (str(ROOT / "tasks" / "treadle-tasks-mock"), "treadle_tasks_mock")
MEGABYTE = 1e6


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """What a person waits for when a package is collected; the quick size is a package of our own."""
    source, module = SMALL if quick else PUBLIC
    fresh = Place.new(site)
    yield from _from_nothing(site, source, fresh, repeats=1 if quick else 2)
    yield from _again(site, source, fresh, repeats=1 if quick else 3)
    yield from _imports(module, fresh, repeats=1 if quick else 5)
    yield from _at_once(site, 4 if quick else 20)


@dataclass(frozen=True)
class Place:
    """A home folder, and the cache that uv uses for it."""

    home: Path
    cache: Path

    @classmethod
    def new(cls, site: Site, cache: Path | None = None) -> Place:
        """Make an empty one; with another's cache if that is given."""
        folder = site.new_folder()
        return cls(folder / "home", cache or folder / "uv-cache")

    @property
    def treadle(self) -> Command:
        """The command line on this home."""
        return Command(self.home, {"UV_CACHE_DIR": str(self.cache)})

    @property
    def environment(self) -> Path:
        """The only environment that is there."""
        (found,) = self.treadle("env", "list").data["environments"]
        return Path(found["path"])


def _from_nothing(site: Site, source: str, kept: Place, *, repeats: int) -> Iterator[Reading]:
    places = iter([kept, *(Place.new(site) for _ in range(repeats - 1))])
    ours, pip = in_turn(
        repeats,
        (1, lambda: _timed(lambda: next(places).treadle("collect", source))),
        (1, lambda: _timed(lambda: _pip(site.new_folder() / "venv", source))),
    )
    yield Reading(
        f"collecting {_name(source)}, nothing cached",
        "`python -m venv` and `pip install --no-cache-dir`",
        pip.seconds_per_unit / ours.seconds_per_unit,
        "times as fast",
        "at least",
        6,
        {"treadle": ours.as_json(), "beside": pip.as_json()},
    )


def _pip(venv: Path, source: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    python = str(getattr(sys, "_base_executable", sys.executable))
    subprocess.run([python, "-m", "venv", venv], check=True, env=inherited)
    install = [venv / "bin" / "python", "-m", "pip", "install", "-qqq", "--no-cache-dir", source]
    subprocess.run(install, check=True, env=inherited)


def _again(site: Site, source: str, place: Place, *, repeats: int) -> Iterator[Reading]:
    name = place.treadle("package", "list").data["packages"][0]["name"]
    shown = _name(source)

    def reactivate() -> float:
        place.treadle("package", "deactivate", name)
        return _timed(lambda: place.treadle("package", "reactivate", name))

    def for_somebody_else() -> float:
        _give_away(place.home / "ledger.sqlite")
        return _timed(lambda: place.treadle("collect", source))

    def in_another_home() -> float:
        others.append(Place.new(site, place.cache))
        return _timed(lambda: others[-1].treadle("collect", source))

    others: list[Place] = []
    ways: list[tuple[str, Any, float | None]] = [
        (f"reactivating {shown}", reactivate, 2),
        (f"collecting {shown} for another owner", for_somebody_else, 2),
        (f"collecting {shown} in another home, uv's cache kept", in_another_home, None),
    ]
    for what, way, limit in ways:  # not in turn: an environment that others have stays where it is
        [result] = in_turn(repeats, (1, way))
        seconds = result.seconds_per_unit
        yield Reading(what, "", seconds, "s", "at most", limit, {"treadle": result.as_json()})
    yield Reading(
        f"disk that {shown} takes when it is reactivated",
        "",
        _new_bytes(place) / MEGABYTE,
        "MB",
        "at most",
        20,
    )
    yield Reading(
        f"disk that {shown} takes in another home, bytecode included",
        "",
        (_new_bytes(others[-1]) + _pool_bytes(others[-1])) / MEGABYTE,
        "MB",
        "at most",
        None,
    )


def _new_bytes(place: Place) -> int:
    """Blocks of folders, and of files that are found by this name alone."""
    taken = 0
    for folder, _, names in os.walk(place.environment):
        taken += os.lstat(folder).st_blocks * 512
        found = (os.lstat(os.path.join(folder, name)) for name in names)  # noqa: PTH118
        taken += sum(file.st_blocks * 512 for file in found if file.st_nlink == 1)
    return taken


def _pool_bytes(place: Place) -> int:
    files = [path for path in (place.home / "bytecode").rglob("*") if path.is_file()]
    return sum(path.stat().st_blocks * 512 for path in files)


def _give_away(ledger: Path) -> None:
    """Let all packages be somebody else's."""
    connection = sqlite3.connect(ledger)
    with connection:
        number = connection.execute("select count(*) + 1 from people").fetchone()[0]
        connection.execute(
            "insert into people (id, name, created_at) select ?, ?, created_at from people limit 1",
            (number + 100, f"somebody {number}"),
        )
        mine = connection.execute("select id from people where name = 'local'").fetchone()[0]
        connection.execute("update packages set owner_id = ? where owner_id = ?", (number + 100, mine))
    connection.close()


def _imports(module: str, place: Place, *, repeats: int) -> Iterator[Reading]:
    python = str(place.environment / "bin" / "python")
    _import(python, module)  # so that both sides find the files in memory
    compiled, not_compiled = in_turn(
        repeats,
        (1, lambda: _timed(lambda: _import(python, module))),
        (1, lambda: _timed(lambda: _import(python, module, "-X", "pycache_prefix=/nowhere"))),
    )
    yield Reading(
        f"importing {module} in a fresh interpreter",
        "the same without its bytecode",
        not_compiled.seconds_per_unit / compiled.seconds_per_unit,
        "times as fast",
        "at least",
        None,
        {"treadle": compiled.as_json(), "beside": not_compiled.as_json()},
    )


def _import(python: str, module: str, *options: str) -> None:
    subprocess.run([python, "-B", *options, "-c", f"import {module}"], check=True)


def _at_once(site: Site, count: int) -> Iterator[Reading]:
    wheels = [_wheel(site.new_folder(), number) for number in range(count)]
    together, apart = in_turn(
        1,
        (count, lambda: _collect_all(site, wheels, at_once=count)),
        (count, lambda: _collect_all(site, wheels, at_once=1)),
    )
    yield Reading(
        f"collecting {count} small packages at once",
        "one after the other",
        apart.seconds_per_unit / together.seconds_per_unit,
        "times as fast",
        "at least",
        1,
        {"treadle": together.as_json(), "beside": apart.as_json()},
    )


def _collect_all(site: Site, wheels: list[Path], *, at_once: int) -> float:
    settings = Settings(home=site.new_folder() / "home")
    settings.create_home()

    def one(wheel: Path) -> str:
        return collect(
            str(wheel), settings=settings, ledger=ledger, progress=Progress(lambda _: None)
        ).package.name

    with (
        Ledger(sqlite_url(settings.home / "ledger.sqlite")) as ledger,
        ThreadPoolExecutor(at_once) as threads,
    ):
        begin = time.perf_counter()
        names = set(threads.map(one, wheels))
        seconds = time.perf_counter() - begin
    assert len(names) == len(wheels)
    return seconds


def _wheel(folder: Path, number: int) -> Path:
    """A task package of a hundred modules."""
    stem = f"small_tasks_{number}-1.0"
    tasks = [{"name": "Do", "executable_parallel": "m0.py"}]
    files: Mapping[str, str] = {
        **{f"small_{number}/m{module}.py": f"VALUES = {[module] * 100}\n" for module in range(100)},
        f"small_{number}/__FRACTAL_MANIFEST__.json": json.dumps(
            {"manifest_version": "2", "task_list": tasks}
        ),
        f"{stem}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: small-tasks-{number}\nVersion: 1.0\n",
        f"{stem}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        archive.writestr(f"{stem}.dist-info/RECORD", "".join(f"{path},,\n" for path in files))
    return wheel


def _name(source: str) -> str:
    return Path(source).name.replace("==", " ")


def _timed(act: Any) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin

"""Writes the parts of the documentation that are derived from the code, into docs/generated.

Pages include them, so that neither a command, a setting, an error, a room nor a library is described twice.
"""

from __future__ import annotations

import inspect
import json
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pydantic_core import PydanticUndefined

import treadle.errors
from treadle.model.constrained import Value
from treadle.model.overlay import Overlay
from treadle.model.profile import ClusterProfile, SshProfile
from treadle.settings import PREFIX, Settings

DOCS = Path(__file__).parent
PROJECT = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())
LOCK = tomllib.loads((DOCS.parent / "uv.lock").read_text())
MEGABYTE = 1_000_000


def main() -> None:
    """Write every part anew."""
    folder = DOCS / "generated"
    folder.mkdir(exist_ok=True)
    demo, tests = readme_commands()
    (folder / "demo.sh").write_text(demo + "\n")
    (folder / "tests.sh").write_text(tests + "\n")
    (folder / "command-line.md").write_text(command_line())
    (folder / "settings.md").write_text(settings())
    (folder / "cluster-settings.md").write_text(table_of(ClusterProfile))
    (folder / "overlay-settings.md").write_text(table_of(Overlay))
    (folder / "ssh-settings.md").write_text(table_of(SshProfile))
    (folder / "errors.txt").write_text(error_tree())
    measured = json.loads((DOCS / "benchmarks.json").read_text())
    (folder / "benchmarks.md").write_text(benchmarks(measured))
    (folder / "benchmarks-details.md").write_text(benchmark_details(measured))
    (folder / "benchmarks-machine.md").write_text(benchmark_machines(measured))
    (folder / "rooms.md").write_text(rooms())
    (folder / "libraries.md").write_text(libraries("dependencies", PROJECT["project"]["dependencies"]))
    groups = PROJECT["dependency-groups"]
    (folder / "tools.md").write_text(libraries("tools", groups["dev"]))
    (folder / "benchmark-libraries.md").write_text(libraries("benchmarks", groups["benchmarks"], sized=False))


def readme_commands() -> tuple[str, str]:
    """The two commands of the README's first screen: the demo and the tests."""
    demo, tests = re.findall(r"^python3 -m pip .*$", (DOCS.parent / "README.md").read_text(), re.MULTILINE)
    return demo, tests


def command_line() -> str:
    """Every command with its arguments and options, as typer documents them."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.md"
        command = ["treadle.cli", "utils", "docs", "--name", "treadle", "--output", str(page)]
        subprocess.run([sys.executable, "-m", "typer", *command], check=True, stdout=subprocess.DEVNULL)
        _title, _, body = page.read_text().partition("\n")
    return body.strip() + "\n"


def settings() -> str:
    """Every setting with its environment variable, default and meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "found on the machine" if field.default_factory else f"`{field.default}`"
        default = "`local` and `slurm`, [as below](#clusters)" if name == "clusters" else default
        rows.append((f"`{name}`", f"`{PREFIX}{name.upper()}`", default, field.description or ""))
    return table(("in `treadle.toml`", "environment variable", "default", "meaning"), rows)


def table_of(model: type[Value]) -> str:
    """Every value of a table in treadle.toml with its default and meaning."""
    rows = []
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        empty = default in (None, {}, PydanticUndefined) or isinstance(default, Value)
        rows.append((f"`{name}`", "" if empty else f"`{default}`", field.description or ""))
    return table(("value", "default", "meaning"), rows)


def error_tree() -> str:
    """The drawing at the top of errors.py."""
    _, _, drawing = inspect.cleandoc(treadle.errors.__doc__ or "").partition("::\n\n")
    return inspect.cleandoc(drawing) + "\n"


def rooms() -> str:
    """Every room with its purpose and the libraries that only it and its like may import."""
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "rooms")
    rows = []
    for layer in layers:
        name = layer.strip("()")
        if not (DOCS.parent / "engine" / "treadle" / name).exists() and layer.startswith("("):
            continue
        purpose, _, _ = (import_module(f"treadle.{name}").__doc__ or "").strip().partition("\n\n")
        barred = [
            library
            for contract in contracts
            if contract["type"] == "forbidden" and f"treadle.{name}" in contract["source_modules"]
            for library in contract["forbidden_modules"]
        ]
        known = [lib for lib in ("prefect", "distributed", "sqlalchemy") if lib not in barred]
        rows.append((f"`{name}`", " ".join(purpose.split()), ", ".join(known)))
    return table(("room", "purpose", "may know"), rows)


def libraries(kind: str, requirements: list[str], *, sized: bool = True) -> str:
    """Every library with what it is for, the range, the locked version and what it adds to an environment.

    Args:
        kind: Table of docs/libraries.toml.
        requirements: As pyproject.toml declares them.
        sized: Whether to tell what they add; they have to be installed for that.

    Raises:
        SystemExit: docs/libraries.toml and pyproject.toml do not name the same libraries.
    """
    purposes = tomllib.loads((DOCS / "libraries.toml").read_text())[kind]
    declared = {canonicalize_name(Requirement(text).name): Requirement(text) for text in requirements}
    if different := sorted(purposes.keys() ^ declared.keys()):
        sys.exit(f"docs/libraries.toml and pyproject.toml differ in {kind}: {', '.join(different)}")
    locked = {package["name"]: package for package in LOCK["package"]}
    rows = [
        (
            f"{name} `{requirement.specifier}`",
            purposes[name],
            locked[name]["version"],
            (locked[name].get("wheels") or [locked[name]["sdist"]])[0]["upload-time"][:7],
            *(sizes(name) if sized else ()),
        )
        for name, requirement in declared.items()
    ]
    columns = ("library", "for", "locked", "released")
    return table((*columns, "MB", "MB with all it needs") if sized else columns, rows)


def sizes(name: str) -> tuple[str, str]:
    """What a library takes on disk, alone and with all it needs."""
    return f"{size(name) / MEGABYTE:.1f}", f"{sum(map(size, closure(name))) / MEGABYTE:.0f}"


def benchmarks(measured: dict[str, Any]) -> str:
    """Every figure beside what it was measured against and what is to be reached."""
    rows = []
    for benchmark in measured.values():
        for row in benchmark["rows"]:
            aim = "" if row["target"] is None else f"{row['bound']} {row['target']:g}"
            verdict = {True: "reached", False: "**not reached**", None: ""}[row["reached"]]
            rows.append((row["what"], row["beside"], f"{row['value']:,g} {row['unit']}", aim, verdict))
    return table(("what", "beside", "measured", "to reach", ""), rows)


def benchmark_details(measured: dict[str, Any]) -> str:
    """The measurements behind the figures: number of units, repeats and the median of the seconds."""
    rows = []
    for benchmark in measured.values():
        seen = []
        for row in benchmark["rows"]:
            sides = [(row["what"], "treadle"), (row["beside"], "beside")]
            for what, side in sides:
                timed = row["details"].get(side)
                if timed is not None and timed not in seen:
                    seen.append(timed)
                    rows.append((what, *_timed(timed)))
    return table(("what", "units", "repeats", "median s", "from - to s"), rows)


def _timed(timed: dict[str, Any]) -> tuple[str, ...]:
    seconds = timed["seconds"]
    median = statistics.median(seconds)
    return (
        f"{timed['units']:,}",
        str(len(seconds)),
        f"{median:.2f}",
        f"{min(seconds):.2f} - {max(seconds):.2f}",
    )


def benchmark_machines(measured: dict[str, Any]) -> str:
    """What the figures were measured on; once for all that share it."""
    texts: dict[str, None] = {}
    for benchmark in measured.values():
        machine = benchmark["machine"]
        versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        text = (
            f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gb']:g} GB of memory, "
            f"{machine['system']}, Python {machine['python']}; {versions}. "
            f"Measured on {benchmark['date']}; others kept {machine['load_before']} of its cores busy before."
        )
        texts[text] = None
    return "\n\n".join(texts) + "\n"


def closure(name: str) -> set[str]:
    """The installed distributions that one needs, itself included."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += _needs(distribution(current))
    return found


def _needs(dist: Distribution) -> Iterator[str]:
    for requirement in map(Requirement, dist.requires or []):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def size(name: str) -> int:
    """Bytes of an installed distribution's files; bytecode does not count."""
    files = (path for path in distribution(name).files or [] if path.suffix != ".pyc")
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    main()

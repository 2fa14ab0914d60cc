"""Manifests of packages that ship none: made from the functions that their entry points name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.version import Version

from treadle.collect import programs
from treadle.collect.manifests.distributions import MANIFEST, find_distribution, manifests_of, site_packages
from treadle.collect.manifests.launchers import Functions, launchers, manifest
from treadle.collect.manifests.problems import Problem, place, raise_all
from treadle.collect.program import Ended, run_program
from treadle.collect.progress import Progress
from treadle.errors import BuildFailed
from treadle.model import marks

FOLDER = "treadle-tasks"
"""Name of the folder for derived manifest and launchers, beside the packages as if they were files of theirs.

So they are as immutable as those, and warm interpreters run them. No module can have that name.
"""

GROUP = "treadle.tasks"
"""Entry points that name task functions: `task name = module:function`, or `anything = module`."""

REQUIREMENT = "pydantic>=2"
"""What describes the arguments of functions, and checks them."""

_PROGRAMS = Path(programs.__path__[0])
_KEPT = ("PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH")


class RequirementMissing(Exception):
    """The environment lacks what a derived manifest needs; it has to be resolved again with `requirement`."""

    def __init__(self, requirement: str) -> None:
        super().__init__(requirement)
        self.requirement = requirement


@dataclass(frozen=True, slots=True)
class Derived:
    """What the functions of a package say.

    Attributes:
        tasks: The tasks without problems, as `programs/functions.py` describes them.
        problems: Everything that is wrong.
    """

    tasks: Functions
    problems: tuple[Problem, ...]


def derived_folder(environment: Path) -> Path:
    """Where an environment has the derived manifest of the package that it was built for."""
    return site_packages(environment) / FOLDER


def derive_manifest(
    environment: Path, folder: Path, *, name: str, editable: Path | None, seconds: float, progress: Progress
) -> None:
    """Write a manifest and launchers for a package that ships none but has task functions.

    The package is imported by the environment's interpreter, in a process of its own without our variables.
    Nothing happens if it ships a manifest, or names no functions.

    Args:
        environment: An environment that is still being built, or that of an editable package.
        folder: Where manifest and launchers go.
        name: Normalised name of the distribution.
        editable: Folder of the project whose own files the package uses; None: it has its own.
        seconds: What the package may take to be imported and described.
        progress: Gets what it prints, and tells when to stop.

    Raises:
        RequirementMissing: The environment has no pydantic that could describe the functions.
        ManifestInvalid: The functions cannot be tasks; names every problem with its place.
        BuildFailed: The package ended the process that imported it, or took too long.
        Cancelled: The progress was told to stop.
    """
    distribution = find_distribution(environment, name)
    named = entry_points(distribution)
    if named or editable is not None:
        _install_programs(environment)
    if not named or manifests_of(distribution, editable):
        return
    pydantic = next(
        iter(Distribution.discover(name="pydantic", path=[str(site_packages(environment))])), None
    )
    if pydantic is None or Version(pydantic.version).major < 2:
        raise RequirementMissing(REQUIREMENT)
    progress(f"describing the tasks of {name}")
    derived = derive(environment, name, named, seconds=seconds, progress=progress)
    raise_all(f"The functions of {name} cannot be its tasks", derived.problems)
    described = manifest(derived.tasks, distribution=name, version=distribution.version)
    files = {**launchers(derived.tasks), MANIFEST: json.dumps(described, indent=2)}
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        fresh = folder / f".{file}.new"
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(folder / file)


def entry_points(distribution: Distribution) -> tuple[EntryPoint, ...]:
    """Return the entry points that name tasks."""
    return tuple(distribution.entry_points.select(group=GROUP))


def derive(
    environment: Path, name: str, named: Sequence[EntryPoint], *, seconds: float, progress: Progress
) -> Derived:
    """Ask the interpreter of an environment what the functions of a package are.

    Raises:
        BuildFailed: It gave no answer.
        Cancelled: The progress was told to stop.
    """
    requests, problems = [], []
    for entry_point in named:
        module, _, attribute = entry_point.value.partition("[")[0].strip().partition(":")
        words = [*module.strip().split("."), *(attribute.strip().split(".") if attribute else ())]
        if all(word.isidentifier() for word in words):
            requests.append(
                {"name": entry_point.name, "module": module.strip(), "attribute": attribute.strip()}
            )
        else:
            what = f"entry point {entry_point.name!r}: {entry_point.value!r} is not module:function"
            problems.append(Problem(what, "pyproject.toml"))
    ended = _ask(environment, json.dumps(requests), name, seconds=seconds, progress=progress)
    try:
        answer = json.loads(ended.output)
    except ValueError as error:
        raise BuildFailed(
            f"{name} ended the process that imported it (exit status {ended.status}).",
            remedy="A task package must be importable without consequences.",
            detail=ended.errors.strip(),
        ) from error
    site = site_packages(environment)
    folders = [site, site.resolve()]
    problems += [
        Problem(
            problem["what"],
            place(problem["file"], problem["line"], folders),
            problem["detail"].replace(f"{site}{os.sep}", ""),
        )
        for problem in answer["problems"]
    ]
    return Derived(tuple(answer["tasks"]), tuple(problems))


def _ask(environment: Path, request: str, name: str, *, seconds: float, progress: Progress) -> Ended:
    python = environment / "bin" / "python"
    command = [str(python), "-I", "-B", str(_PROGRAMS / "derive.py"), request]
    with TemporaryDirectory(prefix="treadle-derive-") as scratch:
        try:
            return run_program(
                command,
                folder=Path(scratch),
                environment=_variables(os.environ, scratch),
                seconds=seconds,
                progress=progress,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildFailed(
                f"Importing {name} was stopped after {seconds:.0f} seconds.",
                remedy="A task package must be importable without consequences; build_seconds is the limit.",
            ) from error


def _variables(inherited: Mapping[str, str], scratch: str) -> dict[str, str]:
    """Return the variables of the process that imports a package: none that could hold a secret."""
    kept = {name: value for name, value in inherited.items() if name in _KEPT or name.startswith("LC_")}
    return {**kept, "HOME": scratch, "TMPDIR": scratch}


def _install_programs(environment: Path) -> None:
    """Put beside the packages what launchers import, and what stands for Treadle where it is missing."""
    site = site_packages(environment)
    if (site / "_treadle_launch.py").exists():
        return
    shutil.copyfile(_PROGRAMS / "launch.py", site / "_treadle_launch.py")
    if not any(Distribution.discover(name="treadle", path=[str(site)])):
        shutil.copyfile(str(marks.__file__), site / "treadle.py")

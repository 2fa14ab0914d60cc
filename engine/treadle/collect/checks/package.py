"""Checking a task package before its release: everything that is wrong, at once."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_name, parse_wheel_filename

from treadle.collect.checks.project import FILE, project_name, project_problems
from treadle.collect.checks.wheel import check_wheel, source_place
from treadle.collect.collection import collect, preview
from treadle.collect.environments.interpreter import examine
from treadle.collect.manifests.problems import Problem, problems_of
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import FolderSource
from treadle.errors import CollectError, ResolutionFailed, SourceInvalid
from treadle.ledger import Ledger, sqlite_url
from treadle.model.task import Task
from treadle.settings import Settings

_PLACE = re.compile(r"(?P<file>[^:]+\.py)(?::(?P<line>\d+))?")


@dataclass(frozen=True, slots=True)
class PackageCheck:
    """What a check found.

    Attributes:
        name: Normalised name of the distribution; None if that cannot be told.
        version: Its version; None as long as there is no wheel of it.
        tasks: Its tasks, as far as they are in order.
        problems: Everything that is wrong.
    """

    name: str | None
    version: str | None
    tasks: tuple[Task, ...]
    problems: tuple[Problem, ...]


def check_package(folder: Path, *, settings: Settings, progress: Progress) -> PackageCheck:
    """Say what is wrong with a task package; what is built for that is gone afterwards.

    Args:
        folder: Absolute path of the project.
        settings: Which Python is used, and where there is space.
        progress: Told what is under way; ends it on request.

    Raises:
        SourceInvalid: There is no such folder.
        InterpreterMissing: There is no Python that tasks could run on.
        StorageFull: Home, temporary folder or uv's cache may not be written.
        Cancelled: The progress was told to stop.
    """
    if not folder.is_dir():
        raise SourceInvalid(f"There is no folder {folder}.", remedy="Check the path.")
    python = examine(settings.python)
    problems = project_problems(folder, python.version)
    if problems and problems[0].place == FILE:
        return PackageCheck(None, None, (), tuple(problems))
    with TemporaryDirectory(prefix=".check-", dir=settings.create_home()) as place:
        apart = settings.model_copy(update={"home": Path(place)})
        try:
            with Ledger(sqlite_url(Path(place) / "ledger.sqlite")) as ledger:
                return _check_build(folder, problems, apart, ledger, progress)
        finally:
            _allow_removal(Path(place))


def _check_build(
    folder: Path, problems: list[Problem], settings: Settings, ledger: Ledger, progress: Progress
) -> PackageCheck:
    source = FolderSource(folder)
    resolves = False
    try:
        preview(source, settings=settings, ledger=ledger, progress=progress)
        resolves = True
    except ResolutionFailed as error:
        problems.append(Problem(error.what, FILE, error.detail))
    except CollectError as error:
        problems.append(Problem(f"it cannot be built: {error}", FILE, error.detail))
    wheel = _wheel_of(folder, settings)
    if wheel is None:
        return PackageCheck(None, None, (), tuple(problems))
    raw_name, version = parse_wheel_filename(wheel.name)[:2]
    name = canonicalize_name(raw_name)
    checked = check_wheel(wheel, folder=folder, name=name, version=str(version))
    problems += checked.problems
    tasks = checked.tasks
    if checked.derived and resolves:
        try:
            tasks = collect(source, settings=settings, ledger=ledger, progress=progress).tasks
        except CollectError as error:
            found = problems_of(error) or [Problem(error.what, FILE, error.detail)]
            problems += [_in_project(problem, folder) for problem in found]
    return PackageCheck(name, str(version), tasks, tuple(problems))


def _allow_removal(home: Path) -> None:
    """Let folders of environments be emptied; their files are shared with others and stay as they are."""
    for place, _, _ in os.walk(home):
        Path(place).chmod(stat.S_IRWXU)


def _wheel_of(folder: Path, settings: Settings) -> Path | None:
    """The wheel that was built of the project; those of its direct references may lie beside it."""
    wheels = sorted(settings.wheels_folder.glob("[!.]*/*.whl"))
    name = project_name(folder)
    return next((wheel for wheel in wheels if name in {None, parse_wheel_filename(wheel.name)[0]}), None)


def _in_project(problem: Problem, folder: Path) -> Problem:
    match = _PLACE.fullmatch(problem.place)
    if match is None:
        return replace(problem, place=problem.place or FILE)
    line = int(match["line"]) if match["line"] else None
    return replace(problem, place=source_place(folder, match["file"], line))

"""The wheel of a task package: its manifest, and the programs that the manifest names."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from treadle.collect.checks.json_lines import line_of
from treadle.collect.checks.programs import argument_problems, syntax_problem
from treadle.collect.checks.project import FILE
from treadle.collect.manifests.beside import names_tasks
from treadle.collect.manifests.derived import GROUP
from treadle.collect.manifests.distributions import MANIFEST, manifests_below
from treadle.collect.manifests.problems import Problem
from treadle.errors import ManifestInvalid
from treadle.model.arguments import schema_problem
from treadle.model.manifest import Manifest, parse_manifest
from treadle.model.task import Part, Task


@dataclass(frozen=True, slots=True)
class WheelCheck:
    """What a wheel says of its tasks.

    Attributes:
        tasks: The tasks of a manifest without problems; none if the wheel ships no manifest.
        derived: Whether the tasks are functions that entry points name: their manifest will be derived.
        problems: Everything that is wrong.
    """

    tasks: tuple[Task, ...]
    derived: bool
    problems: tuple[Problem, ...]


def check_wheel(wheel: Path, *, folder: Path, name: str, version: str) -> WheelCheck:
    """Say what is wrong with the wheel that was built of a project.

    Args:
        wheel: The wheel.
        folder: The project, in which places are looked for.
        name: Normalised name of the distribution.
        version: Its version.
    """
    with zipfile.ZipFile(wheel) as archive:
        files = frozenset(PurePosixPath(file) for file in archive.namelist() if not file.endswith("/"))
        manifests = sorted(file for file in files if file.name == MANIFEST)
        if len(manifests) > 1:
            places = ", ".join(map(str, manifests))
            return WheelCheck((), False, (Problem(f"the wheel has {len(manifests)} manifests: {places}"),))
        if manifests:
            text = archive.read(str(manifests[0])).decode("utf-8", "replace")
            return _Shipped(archive, files, folder, manifests[0], text).check(name, version)
        derived = any(
            names_tasks(archive.read(str(file)).decode("utf-8", "replace"))
            for file in files
            if file.name == "entry_points.txt" and file.parent.name.endswith(".dist-info")
        )
    return WheelCheck((), derived, () if derived else (_nothing_found(folder),))


def source_place(folder: Path, path: PurePosixPath | str, line: int | None = None) -> str:
    """Spell the place of an installed file by its file in the project, if that can be told."""
    candidates = [PurePosixPath("src") / path, PurePosixPath(path)]
    candidates += [PurePosixPath(found.relative_to(folder)) for found in folder.glob(f"*/{path}")]
    shown = next((each for each in candidates if (folder / each).is_file()), PurePosixPath(path))
    return str(shown) if line is None else f"{shown}:{line}"


def _nothing_found(folder: Path) -> Problem:
    left_out = sorted(manifests_below(folder))
    if left_out:
        what = "is not in the wheel: tell the build backend to include it"
        return Problem(what, str(left_out[0].relative_to(folder)))
    what = f"there are no tasks: the package ships no {MANIFEST}, and has no entry points {GROUP}"
    return Problem(what, FILE)


@dataclass(frozen=True, slots=True)
class _Shipped:
    """A manifest that a wheel ships; `text` is its content."""

    archive: zipfile.ZipFile
    files: frozenset[PurePosixPath]
    folder: Path
    path: PurePosixPath
    text: str

    def check(self, name: str, version: str) -> WheelCheck:
        try:
            manifest = parse_manifest(self.text, name)
        except ManifestInvalid as error:
            return WheelCheck((), False, tuple(self._manifest_problems(error)))
        problems = tuple(self._program_problems(manifest))
        return WheelCheck(manifest.tasks(name, version), False, problems)

    def _manifest_problems(self, error: ManifestInvalid) -> Iterator[Problem]:
        summary, *lines = error.what.split("\n  - ")
        if not lines:
            line = re.search(r"\(line (\d+), ", summary)
            yield Problem(summary, source_place(self.folder, self.path, int(line[1]) if line else None))
        for text in lines:
            yield self._problem(*text.partition(": ")[::2])

    def _program_problems(self, manifest: Manifest) -> Iterator[Problem]:
        for index, task in enumerate(manifest.tasks("package", "0")):
            for part in sorted(task.type.parts):
                called = task.part(part)
                file = self.path.parent / str(called.executable)
                if file not in self.files:
                    yield self._problem(
                        f"task_list[{index}].executable_{part}", f"{file} is not in the wheel"
                    )
                elif file.suffix == ".py":
                    yield from self._python_problems(file, task, part)
                label = manifest.args_schema_version
                wrong = called.args_schema and schema_problem(called.args_schema, label)
                if wrong:
                    key = f"task_list[{index}].args_schema_{part}"
                    yield self._problem(key, f"is not a valid JSON Schema: {wrong}")

    def _python_problems(self, file: PurePosixPath, task: Task, part: Part) -> Iterator[Problem]:
        text = self.archive.read(str(file))
        broken = syntax_problem(text, str(file))
        if broken:
            yield Problem(broken[0], source_place(self.folder, file, broken[1]))
            return
        for what, line in argument_problems(text, task.part(part).args_schema, task.type, part):
            yield Problem(f"task {task.name!r}: {what}", source_place(self.folder, file, line))

    def _problem(self, key: str, what: str) -> Problem:
        return Problem(f"{key}: {what}", source_place(self.folder, self.path, line_of(self.text, key)))

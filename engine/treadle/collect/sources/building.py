"""Building wheels of projects: their build environment first, then their own code without our secrets."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treadle.collect.build_variables import build_variables
from treadle.collect.credentials import without_credentials
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.options import CollectOptions
from treadle.collect.program import run_program
from treadle.collect.sources import build_hooks
from treadle.collect.sources.build_system import BuildSystem, check_requirements, read_build_system
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import BuildFailed, SourceInvalid
from treadle.settings import Settings

Kind = Literal["wheel", "editable"]
"""What is built: a wheel with the project's files, or one that leads to them (PEP 660)."""

_ANSWER = "answer.json"
_DETAIL_LINES = 200


@dataclass(frozen=True, slots=True)
class Builder:
    """How the projects of one collection are built.

    Attributes:
        interpreter: Python that builds them.
        options: What was asked of the collection.
        uv: How uv is run, with the settings and the progress.
        epoch: Time that files in wheels have, in seconds since 1970, so that the same source gives the same
            bytes; empty: whatever SOURCE_DATE_EPOCH says, or that of the files.
    """

    interpreter: Interpreter
    options: CollectOptions
    uv: Uv
    epoch: str = ""

    @property
    def settings(self) -> Settings:
        """Limits, and where things are kept."""
        return self.uv.settings

    def build(self, project: Path, folder: Path, *, shown: str, kind: Kind = "wheel") -> None:
        """Build a project's wheel.

        Args:
            project: Absolute path of the project.
            folder: There already; gets the wheel and nothing else.
            shown: What errors call the project.
            kind: Which wheel.

        Raises:
            SourceInvalid: There is no project, or it does not say properly how it is built.
            BuildFailed: Its build environment or its build failed, or took too long.
            StorageFull: The disk is full or may not be written.
            Cancelled: The progress was told to stop; nothing of the build runs on.
        """
        system = read_build_system(project, shown)
        if system.is_uv and kind == "wheel":
            self._build_with_uv(project, folder, shown)
            return
        scratch = folder / "scratch"
        (scratch / "wheel").mkdir(parents=True)
        build = _Build(self, project, shown, kind, system, scratch)
        build.make_environment()
        wheel = build.run_hooks()
        wheel.rename(folder / wheel.name)
        shutil.rmtree(scratch)

    def index_options(self) -> list[str]:
        """Options of uv that say where build requirements come from."""
        newer = self.options.exclude_newer or self.settings.exclude_newer
        dated = ["--exclude-newer", newer] if newer else []
        wheelhouse = self.settings.wheelhouse
        if wheelhouse is not None:
            return [*dated, "--no-index", "--offline", "--find-links", str(wheelhouse)]
        return [*dated, "--index-strategy", "first-index"]

    def _build_with_uv(self, project: Path, folder: Path, shown: str) -> None:
        options = ["--wheel", "--no-build", "--no-sources", "--no-create-gitignore", *self.index_options()]
        where = ["--python", str(self.interpreter.path), "--out-dir", str(folder)]
        try:
            self.uv.run(["build", *options, *where, str(project)], folder=folder)
        except UvFailed as error:
            raise BuildFailed(f"{shown} could not be built into a wheel.", detail=error.words) from error


@dataclass(frozen=True, slots=True)
class _Build:
    """One build whose backend is somebody's Python."""

    builder: Builder
    project: Path
    shown: str
    kind: Kind
    system: BuildSystem
    scratch: Path

    @property
    def _python(self) -> str:
        return str(self.scratch / "environment" / "bin" / "python")

    def _variables(self) -> dict[str, str]:
        variables = build_variables(os.environ, self.scratch)
        environment = self.scratch / "environment"
        path = f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"
        epoch = {"SOURCE_DATE_EPOCH": self.builder.epoch} if self.builder.epoch else {}
        return {**variables, **epoch, "PATH": path, "VIRTUAL_ENV": str(environment)}

    def make_environment(self) -> None:
        """Install what the project says it needs to be built."""
        base, place = str(self.builder.interpreter.path), str(self.scratch / "environment")
        try:
            self.builder.uv.run(["venv", "--no-project", "--python", base, place], folder=self.scratch)
        except UvFailed as error:
            raise BuildFailed(
                f"No environment to build {self.shown} could be made.", detail=error.words
            ) from error
        self._install(self.system.requires)

    def run_hooks(self) -> Path:
        """Run the backend until it has built the wheel; what it asks for meanwhile is installed."""
        installed: list[str] = []
        while True:
            self._run_once(installed)
            match self._answer():
                case {"wheel": str(name)}:
                    return self._built(name)
                case {"requires": [*wanted]} if not set(wanted) <= set(installed):
                    requires = [str(requirement) for requirement in wanted]
                    self._check(requires)
                    self._install(requires)
                    installed += requires
                case other:
                    raise BuildFailed(f"The build of {self.shown} answered {other!r}, which is no wheel.")

    def _check(self, requires: Sequence[str]) -> None:
        try:
            check_requirements(requires)
        except ValueError as error:
            raise BuildFailed(f"{self.shown} asks for what cannot be installed: {error}.") from error

    def _install(self, requires: Sequence[str]) -> None:
        file = self.scratch / "requires.txt"
        file.write_text("".join(f"{requirement}\n" for requirement in requires), encoding="utf-8")
        options = ["--no-build", "--python", self._python, *self.builder.index_options()]
        try:
            self.builder.uv.run(["pip", "install", *options, "--requirement", str(file)], folder=self.scratch)
        except UvFailed as error:
            raise BuildFailed(
                f"What {self.shown} needs to be built could not be installed: {', '.join(requires)}.",
                remedy="Only wheels are installed for that; check the network and [build-system] requires.",
                detail=error.words,
            ) from error

    def _run_once(self, installed: Sequence[str]) -> None:
        asked = self.scratch / "asked.json"
        question = {
            "backend": self.system.backend,
            "backend_path": self.system.backend_path,
            "kind": self.kind,
            "folder": str(self.scratch / "wheel"),
            "installed": installed,
        }
        asked.write_text(json.dumps(question), encoding="utf-8")
        python = [self._python, "-I", "-B", "-u", "-X", "utf8"]
        try:
            ended = run_program(
                [*python, build_hooks.__file__, str(asked), str(self.scratch / _ANSWER)],
                folder=self.project,
                environment=self._variables(),
                seconds=self.builder.settings.build_seconds,
                progress=self.builder.uv.progress,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildFailed(
                f"The build of {self.shown} was stopped after {error.timeout:.0f} seconds.",
                remedy="Raise build_seconds if it needs more.",
            ) from error
        if ended.status != 0:
            words = "\n".join(ended.errors.strip().splitlines()[-_DETAIL_LINES:])
            raise BuildFailed(
                f"{self.shown} could not be built into a wheel.", detail=without_credentials(words)
            )

    def _answer(self) -> object:
        try:
            answer: object = json.loads((self.scratch / _ANSWER).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BuildFailed(f"The build of {self.shown} ended without a wheel: {error}.") from error
        return answer

    def _built(self, name: str) -> Path:
        wheel = self.scratch / "wheel" / Path(name).name
        if wheel.is_symlink() or not wheel.is_file():
            raise BuildFailed(f"The build of {self.shown} ended, but left no wheel {wheel.name}.")
        return wheel


def check_buildable(kind: str, shown: str, settings: Settings) -> None:
    """Refuse to run the build code of a source whose kind may not be built here.

    Args:
        kind: One of the words that the setting `build_sources` may have.
        shown: The source, as it is shown.
        settings: What is allowed.

    Raises:
        SourceInvalid: It may not be built.
    """
    if kind not in settings.build_sources:
        raise SourceInvalid(
            f"{shown} may not be built here: {kind} is not among build_sources.",
            remedy="Build its wheel elsewhere and collect that, or let a site's administrator allow it.",
        )

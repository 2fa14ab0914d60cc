"""Building wheels of projects: their build environment first, then their own code without our secrets."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from treadle.collect.credentials import without_credentials
from treadle.collect.environments.interpreter import Interpreter
from treadle.collect.options import CollectOptions
from treadle.collect.program import run_program
from treadle.collect.sources import build_hooks
from treadle.collect.sources.build_system import BuildSystem, read_build_system
from treadle.collect.uv import Uv, UvFailed
from treadle.errors import BuildFailed, SourceInvalid
from treadle.settings import Settings

Kind = Literal["wheel", "editable"]
"""What is built: a wheel with the project's files, or one that leads to them (PEP 660)."""

_PASSED = re.compile(
    r"(PATH|LANG|LANGUAGE|LC_\w+|TZ|SOURCE_DATE_EPOCH|CC|CXX|CPP|FC|F77|F90|AR|AS|LD|NM|RANLIB|STRIP|CPPFLAGS"
    r"|CFLAGS|CXXFLAGS|FFLAGS|FCFLAGS|LDFLAGS|LDSHARED|ARCHFLAGS|MAKEFLAGS|CPATH|C_INCLUDE_PATH"
    r"|CPLUS_INCLUDE_PATH|LIBRARY_PATH|LD_LIBRARY_PATH|PKG_CONFIG_PATH|CMAKE_PREFIX_PATH|CUDA_HOME)"
)
"""Variables that the code of a project sees; an allow-list, since secrets have any name."""

_ANSWER = "answer.json"
_DETAIL_LINES = 200


@dataclass(frozen=True, slots=True)
class Builder:
    """How the projects of one collection are built.

    Attributes:
        interpreter: Python that builds them.
        options: What was asked of the collection.
        uv: How uv is run, with the settings and the progress.
    """

    interpreter: Interpreter
    options: CollectOptions
    uv: Uv

    @property
    def settings(self) -> Settings:
        """Limits, and where things are kept."""
        return self.uv.settings

    def build(self, project: Path, folder: Path, *, kind: Kind = "wheel") -> None:
        """Build a project's wheel.

        Args:
            project: Absolute path of the project.
            folder: There already; gets the wheel and nothing else.
            kind: Which wheel.

        Raises:
            SourceInvalid: There is no project, or it does not say properly how it is built.
            BuildFailed: Its build environment or its build failed, or took too long.
            StorageFull: The disk is full or may not be written.
            Cancelled: The progress was told to stop; nothing of the build runs on.
        """
        system = read_build_system(project)
        if system.is_uv and kind == "wheel":
            self._build_with_uv(project, folder)
            return
        scratch = folder / "scratch"
        for name in ("home", "tmp", "wheel"):
            (scratch / name).mkdir(parents=True)
        self._prepare_environment(project, system, scratch)
        wheel = self._run_hooks(project, system, scratch, kind)
        wheel.rename(folder / wheel.name)
        shutil.rmtree(scratch)

    def _build_with_uv(self, project: Path, folder: Path) -> None:
        options = ["--wheel", "--no-build", "--no-sources", "--no-create-gitignore", *self._index_options()]
        where = ["--python", str(self.interpreter.path), "--out-dir", str(folder)]
        try:
            self.uv.run(["build", *options, *where, str(project)], folder=folder)
        except UvFailed as error:
            raise BuildFailed(f"{project} could not be built into a wheel.", detail=error.words) from error

    def _prepare_environment(self, project: Path, system: BuildSystem, scratch: Path) -> None:
        place = str(scratch / "environment")
        try:
            self.uv.run(
                ["venv", "--no-project", "--python", str(self.interpreter.path), place], folder=scratch
            )
        except UvFailed as error:
            raise BuildFailed(
                f"No environment to build {project} could be made.", detail=error.words
            ) from error
        self._install(project, system.requires, scratch)

    def _install(self, project: Path, requires: Sequence[str], scratch: Path) -> None:
        file = scratch / "requires.txt"
        file.write_text("".join(f"{requirement}\n" for requirement in requires), encoding="utf-8")
        python = str(scratch / "environment" / "bin" / "python")
        options = ["--no-build", "--python", python, *self._index_options()]
        try:
            self.uv.run(["pip", "install", *options, "--requirement", str(file)], folder=scratch)
        except UvFailed as error:
            raise BuildFailed(
                f"What {project} needs to be built could not be installed: {', '.join(requires)}.",
                remedy="Only wheels are installed for that; check the network and [build-system] requires.",
                detail=error.words,
            ) from error

    def _index_options(self) -> list[str]:
        newer = self.options.exclude_newer or self.settings.exclude_newer
        dated = ["--exclude-newer", newer] if newer else []
        wheelhouse = self.settings.wheelhouse
        housed = ["--no-index", "--find-links", str(wheelhouse)] if wheelhouse else []
        return ["--index-strategy", "first-index", *dated, *housed]

    def _run_hooks(self, project: Path, system: BuildSystem, scratch: Path, kind: Kind) -> Path:
        installed: list[str] = []
        while True:
            self._run_once(project, system, scratch, kind, installed)
            match _answer(scratch, project):
                case {"wheel": str(name)}:
                    return _built(scratch / "wheel", name, project)
                case {"requires": [*wanted]} if not set(map(str, wanted)) <= set(installed):
                    self._install(project, [str(requirement) for requirement in wanted], scratch)
                    installed += map(str, wanted)
                case other:
                    raise BuildFailed(f"The build of {project} answered {other!r}, which is no wheel.")

    def _run_once(
        self, project: Path, system: BuildSystem, scratch: Path, kind: Kind, installed: Sequence[str]
    ) -> None:
        asked = scratch / "asked.json"
        question = {
            "backend": system.backend,
            "backend_path": system.backend_path,
            "kind": kind,
            "folder": str(scratch / "wheel"),
            "installed": installed,
        }
        asked.write_text(json.dumps(question), encoding="utf-8")
        python = str(scratch / "environment" / "bin" / "python")
        command = [python, "-I", "-B", "-u", "-X", "utf8", build_hooks.__file__, str(asked)]
        command.append(str(scratch / _ANSWER))
        try:
            ended = run_program(
                command,
                folder=project,
                environment=build_environment_variables(os.environ, scratch),
                seconds=self.settings.build_seconds,
                progress=self.uv.progress,
            )
        except subprocess.TimeoutExpired as error:
            raise BuildFailed(
                f"The build of {project} was stopped after {error.timeout:.0f} seconds.",
                remedy="Raise build_seconds if it needs more.",
            ) from error
        if ended.status != 0:
            words = "\n".join(ended.errors.strip().splitlines()[-_DETAIL_LINES:])
            raise BuildFailed(
                f"{project} could not be built into a wheel.", detail=without_credentials(words)
            )


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


def build_environment_variables(inherited: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """All that the code of a project sees of the environment; `scratch` has its home and temporary folder."""
    passed = {name: value for name, value in inherited.items() if _PASSED.fullmatch(name)}
    environment = scratch / "environment"
    return {
        **passed,
        "PATH": f"{environment / 'bin'}{os.pathsep}{passed.get('PATH', os.defpath)}",
        "VIRTUAL_ENV": str(environment),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _answer(scratch: Path, project: Path) -> object:
    try:
        answer: object = json.loads((scratch / _ANSWER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BuildFailed(f"The build of {project} ended without a wheel: {error}.") from error
    return answer


def _built(folder: Path, name: str, project: Path) -> Path:
    wheel = folder / Path(name).name
    if wheel.is_symlink() or not wheel.is_file():
        raise BuildFailed(f"The build of {project} ended, but left no wheel {wheel.name}.")
    return wheel

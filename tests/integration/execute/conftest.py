"""Task scripts and batches for these tests."""

from __future__ import annotations

import re
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import JsonValue

from treadle.execute.batch import Batch, UnitCall
from treadle.execute.pool import close_shared_pool

MakeBatch = Callable[..., Batch]


@dataclass(frozen=True)
class Package:
    """A package in an environment of its own; what it installs may be forked."""

    python: str
    folder: Path

    def install(self, **files: str) -> None:
        """Write modules of the package."""
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(dedent(text))

    def batch(self, logs: Path, script: str, *args: dict[str, JsonValue], **call: Any) -> Batch:
        """Return a batch of units of a script of the package, one for each of `args`."""
        file = self.folder / f"task_{len(list(self.folder.iterdir()))}.py"
        file.write_text(dedent(script))
        calls = tuple(
            UnitCall(index=index, command=(self.python, str(file)), args=given, **call)
            for index, given in enumerate(args or ({},))
        )
        logs.mkdir(exist_ok=True)
        return Batch(run_id=1, position=0, step="000-step", calls=calls, log_folder=str(logs), environment={})


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give an environment with nothing in it but what this one has."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "tests.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture
def package(environment: Path, request: pytest.FixtureRequest) -> Package:
    """Give an empty package, installed in an environment; its name is `name` of its folder."""
    [site] = environment.glob("lib/python*/site-packages")
    folder = site / re.sub(r"\W+", "_", request.node.name)
    folder.mkdir()
    (folder / "__init__.py").touch()
    return Package(str(environment / "bin" / "python"), folder)


@pytest.fixture(autouse=True)
def _leave_no_launcher() -> Iterator[None]:
    yield
    close_shared_pool()


@pytest.fixture
def make_batch(tmp_path: Path) -> MakeBatch:
    """Give a function that makes a batch of units, all of one task script."""

    def make(script: str, *args: dict[str, JsonValue], environment: dict[str, str] | None = None) -> Batch:
        file = tmp_path / "task.py"
        file.write_text(dedent(script))
        calls = tuple(
            UnitCall(index=index, command=(sys.executable, str(file)), args=given)
            for index, given in enumerate(args or ({},))
        )
        folder = tmp_path / "logs"
        folder.mkdir(exist_ok=True)
        return Batch(
            run_id=1,
            position=0,
            step="000-step",
            calls=calls,
            log_folder=str(folder),
            environment=environment or {},
        )

    return make

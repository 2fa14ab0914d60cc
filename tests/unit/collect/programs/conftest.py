from __future__ import annotations

import itertools
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.collect.programs.functions import find_tasks

_NUMBERS = itertools.count()


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Write a module that can be imported during this test, and return its name."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        name = f"some_tasks_{next(_NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text).lstrip())
        return name

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("some_tasks_"):
            del sys.modules[name]


@pytest.fixture
def found(module: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """Find the tasks of a module's text: by default all that are marked, else the functions named."""

    def find(text: str, **functions: str) -> dict[str, Any]:
        name = module(text)
        points = [{"name": task, "module": name, "attribute": each} for task, each in functions.items()]
        return find_tasks(points or [{"name": "all", "module": name, "attribute": ""}])

    return find


@pytest.fixture
def problems(found: Callable[..., dict[str, Any]], tmp_path: Path) -> Callable[..., list[str]]:
    """Everything that is wrong with the tasks of a module's text, as `line: what` without the module."""

    def find(text: str, **functions: str) -> list[str]:
        said = found(text, **functions)["problems"]
        assert all(problem["file"] is None or problem["file"].startswith(str(tmp_path)) for problem in said)
        return [f"{problem['line']}: {problem['what'].partition(':')[2].strip()}" for problem in said]

    return find

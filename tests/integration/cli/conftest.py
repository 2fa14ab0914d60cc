"""Small workflows of the mock package, stored under names of their own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

NUMBERS = itertools.count(1)

Prepare = Callable[..., tuple[str, str]]


@pytest.fixture(scope="module")
def prepare(treadle: Command, tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Store a workflow of these steps and an empty dataset; return both names."""

    def prepare(*steps: dict[str, Any]) -> tuple[str, str]:
        name = f"case-{next(NUMBERS)}"
        folder = tmp_path_factory.mktemp(name)
        file: Path = folder / "workflow.json"
        file.write_text(json.dumps({"name": name, "task_list": steps}))
        treadle("workflow", "import", str(file))
        treadle("dataset", "create", name, "--dir", str(folder / "data"))
        return name, name

    return prepare

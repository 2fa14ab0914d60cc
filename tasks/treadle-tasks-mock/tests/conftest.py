from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import treadle_tasks_mock

PACKAGE = Path(treadle_tasks_mock.__file__).parent


@dataclass(frozen=True)
class Done:
    """How a unit ended; `out` is the text of its out file, None if it wrote none."""

    status: int
    stdout: str
    stderr: str
    out: str | None

    @property
    def output(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(tmp_path):
    """Run an executable as an engine does, in a fresh process."""
    attempts = iter(range(1000))

    def start(module: str, out_exists: bool = False, **arguments: Any) -> Done:
        number = next(attempts)
        args_json, out_json = tmp_path / f"{number}.args.json", tmp_path / f"{number}.out.json"
        args_json.write_text(json.dumps(arguments))
        if out_exists:
            out_json.write_text("old")
        script = str(PACKAGE / "tasks" / f"{module}.py")
        command = [sys.executable, script, "--args-json", str(args_json), "--out-json", str(out_json)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        out = out_json.read_text() if out_json.exists() else None
        return Done(done.returncode, done.stdout, done.stderr, out)

    return start


@pytest.fixture
def item(tmp_path):
    folder = tmp_path / "data" / "item_0000"
    folder.mkdir(parents=True)
    return str(folder)

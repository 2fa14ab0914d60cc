"""The program that does what a recorded task did."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from treadle.execute import builtin

PROGRAM = Path(builtin.__path__[0]) / "replay.py"


def replay(folder: Path, **args: Any) -> subprocess.CompletedProcess[str]:
    file = folder / "args.json"
    file.write_text(json.dumps({"zarr_dir": str(folder / "data"), **args}))
    words = [sys.executable, PROGRAM, "--args-json", file, "--out-json", folder / "out.json"]
    return subprocess.run(words, check=False, capture_output=True, text=True)


def test_files_are_written_in_their_sizes_and_read_by_the_next(tmp_path: Path) -> None:
    sizes = {"large": 3_000_001, "empty": 0}
    assert replay(tmp_path, outputs=sizes).returncode == 0
    folder = tmp_path / "data" / "files"
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == sizes
    assert replay(tmp_path, inputs=["large", "empty"]).returncode == 0


def test_missing_input_is_named(tmp_path: Path) -> None:
    ended = replay(tmp_path, inputs=["fits"], outputs={"sum": 1})
    assert ended.returncode == 1
    assert "no file fits" in ended.stderr
    assert list((tmp_path / "data" / "files").iterdir()) == []


def test_share_of_the_time_is_cpu(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    assert replay(tmp_path, seconds=1.0, cpu=0.5).returncode == 0
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before > 0.4

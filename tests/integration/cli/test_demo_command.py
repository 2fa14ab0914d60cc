"""The demonstration, as a newcomer runs it: twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.testing.command import Command
from treadle.testing.slurm import DevelopmentSlurm

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n"


def test_demo_leaves_pictures_and_can_be_repeated(tmp_path: Path) -> None:
    # Given an empty home
    treadle = Command(tmp_path / "home")

    # When the demonstration runs
    first = treadle("demo").data

    # Then all its steps are done and its pictures are there
    assert first["state"] == "done"
    assert len(first["steps"]) >= 5
    assert all(step["done"] == step["units"] > 0 for step in first["steps"])
    sheet, *overlays = map(Path, first["pictures"])
    assert sheet.name == "contact_sheet.png"
    assert len(overlays) == len(treadle("dataset", "show", first["dataset"]).data["items"]) // 2
    assert all(path.read_bytes().startswith(PNG) for path in (sheet, *overlays))
    made = sheet.stat().st_mtime_ns

    # And when it runs again, nothing is built again, and the first results stay beside the new ones
    answer = treadle("demo", "--dir", str(tmp_path / "mine"), as_json=False)
    assert "building the environment" not in answer.stderr
    assert sheet.stat().st_mtime_ns == made
    new_sheet = tmp_path / "mine" / "demo-2" / "contact_sheet.png"
    assert f"Picture: {new_sheet}" in answer.stdout
    assert new_sheet.read_bytes().startswith(PNG)
    assert "treadle up" in answer.stdout
    assert [entry["state"] for entry in treadle("runs").data["runs"]] == ["done", "done"]


def test_demo_runs_the_same_on_slurm(
    slurm: DevelopmentSlurm, on_slurm: dict[str, str], tmp_path: Path
) -> None:
    done = Command(tmp_path / "home", variables=on_slurm)("demo", "--cluster", "slurm").data
    assert done["state"] == "done"
    assert all(step["done"] == step["units"] > 0 for step in done["steps"])
    assert all(Path(picture).read_bytes().startswith(PNG) for picture in done["pictures"])
    assert slurm.run("squeue", "--noheader").stdout == ""

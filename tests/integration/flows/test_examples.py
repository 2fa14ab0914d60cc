"""Every example of `flows/` run as a script, on real parts."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

CLONE = Path(__file__).parents[3]
IMAGING = CLONE / "tasks" / "treadle-tasks-imaging"


def test_plate_is_measured_in_two_branches_that_meet(examples: Any, treadle: Command) -> None:
    treadle("collect", str(IMAGING))

    examples.script("plate")

    folder = examples.folder / "treadle-examples" / "plate"
    features = json.loads((folder / "features.json").read_text())
    assert features.keys() == {"A01", "A02", "B01", "B02"}
    assert features["A01"]["raw"]["regions"] == 26
    assert features["A01"]["corrected"]["regions"] == 24, "the coins, once the background is even"
    assert (folder / "contact_sheet.png").read_bytes().startswith(b"\x89PNG")
    names = {f"{well}{kind}.zarr" for well in features for kind in ("", "_corrected")}
    assert examples.items("plate") == names


def test_sweep_finds_the_point_that_it_looks_for(examples: Any) -> None:
    printed = examples.script("sweep")
    assert ast.literal_eval(printed.strip().splitlines()[-1]) == {"rate": 0.35, "depth": 3, "loss": 0.0}


def test_commands_compress_texts_and_list_their_digests(examples: Any) -> None:
    examples.script("shell_commands")

    folder = examples.folder / "treadle-examples" / "texts"
    digests = dict(reversed(line.split()) for line in (folder / "SHA256SUMS").read_text().splitlines())
    compressed = sorted(folder.glob("*.gz"))
    assert digests == {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in compressed}
    assert examples.items("texts") == {"ode.txt", "sonnet.txt", "ode.txt.gz", "sonnet.txt.gz"}


def test_montage_is_replayed_as_a_graph(examples: Any, treadle: Command) -> None:
    examples.call("montage", name="small-montage", time_scale=0.001)

    files = examples.folder / "treadle-examples" / "small-montage" / "files"
    assert (files / "mosaic-color.jpg").stat().st_size == 392
    [run] = [run for run in treadle("runs").data["runs"] if run["dataset"] == "small-montage"]
    steps = treadle("show", str(run["id"])).data["steps"]
    assert len(steps) == 59
    assert {step["state"] for step in steps} == {"done"}


def test_nightly_upkeep_does_all_its_parts(examples: Any, treadle: Command) -> None:
    printed = examples.script("nightly").splitlines()

    parts = ("plugins", "removed that nothing needs", "statistics are new", "is copied to")
    assert all(part in line for part, line in zip(parts, printed[-4:], strict=True))
    [copy] = (treadle.home / "copies").glob("ledger-*.sqlite")
    assert copy.stat().st_mode & 0o077 == 0
    assert copy.read_bytes().startswith(b"SQLite format 3")

"""Commands and recorded workflows as people bring them on the command line: in JSON files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

Prepare = Callable[..., tuple[str, str]]

MONTAGE = Path(__file__).parents[3] / "flows" / "data" / "montage.json"


def step(name: str, part: str, **rest: Any) -> dict[str, Any]:
    ref = {"pkg_name": "treadle-builtin", "version": "1", "name": name}
    return {"task": ref, f"args_{part}": rest.pop("args"), **rest}


def items(treadle: Command, dataset: str) -> dict[str, Path | None]:
    """The dataset's items by name, each with what it comes from."""
    shown = treadle("dataset", "show", dataset).data["items"]
    return {Path(item["zarr_url"]).name: item["origin"] and Path(item["origin"]).name for item in shown}


def test_commands_make_items_work_on_each_and_on_all(treadle: Command, prepare: Prepare) -> None:
    workflow, dataset = prepare(
        step(
            "Command",
            "non_parallel",
            alias="write",
            args={"command": ["printf", "{text}"], "stdout": "note", "item": "note", "text": "b\na\n"},
        ),
        step(
            "Command per item",
            "parallel",
            alias="sort",
            args={
                "command": ["sort", "{zarr_url}"],
                "stdout": "{zarr_url}.sorted",
                "item": "{zarr_url}.sorted",
            },
        ),
        step(
            "Command on items",
            "non_parallel",
            alias="join",
            args={"command": ["cat", "{zarr_urls}"], "stdout": "{zarr_dir}/all"},
        ),
    )

    run = treadle("run", workflow, "--dataset", dataset).data

    assert [(each["name"], each["done"]) for each in run["steps"]] == [("write", 1), ("sort", 1), ("join", 1)]
    assert items(treadle, dataset) == {"note": None, "note.sorted": "note"}
    folder = Path(treadle("dataset", "show", dataset).data["zarr_dir"])
    assert (folder / "note.sorted").read_text() == "a\nb\n"
    assert sorted((folder / "all").read_text().split()) == ["a", "a", "b", "b"]


def test_failed_command_says_its_status_and_what_it_wrote_to_standard_error(
    treadle: Command, prepare: Prepare
) -> None:
    command = ["sh", "-c", 'echo "no $1 here" >&2; exit 3', "sh", "{what}"]
    workflow, dataset = prepare(step("Command", "non_parallel", args={"command": command, "what": "gene"}))

    answer = treadle("run", workflow, "--dataset", dataset, code=1)

    [failure] = answer.data["failures"]
    assert "Exit status 3." in failure["error"]
    assert "no gene here" in failure["error"]


def test_command_is_held_to_its_memory_with_all_it_starts(treadle: Command, prepare: Prepare) -> None:
    program = "import time; much = b'1' * 400_000_000; time.sleep(60)"
    command = ["sh", "-c", '"$1" -c "$2"; true', "sh", sys.executable, program]
    workflow, dataset = prepare(
        step("Command", "non_parallel", args={"command": command}, meta_non_parallel={"mem": 100})
    )

    answer = treadle("run", workflow, "--dataset", dataset, code=1)

    assert "more than its limit of 100 MB" in answer.data["failures"][0]["error"]


def test_command_without_words_is_refused_before_anything_runs(treadle: Command, prepare: Prepare) -> None:
    workflow, dataset = prepare(step("Command", "non_parallel", args={"command": []}))
    assert "command" in treadle("run", workflow, "--dataset", dataset, code=2, as_json=False).stderr


def test_recorded_workflow_is_imported_with_scaled_times(treadle: Command) -> None:
    words = ("workflow", "import", str(MONTAGE), "--time-scale", "0.001", "--size-scale", "0.001")
    stored = treadle(*words).data
    assert (stored["name"], len(stored["steps"])) == ("montage", 59)
    exported = treadle("workflow", "export", "montage").data["task_list"]
    assert exported[1]["alias"] == "mProject_ID0000001"
    assert 0.01 < exported[1]["args_non_parallel"]["seconds"] < 0.02


def test_recording_that_breaks_its_format_is_refused(treadle: Command, tmp_path: Path) -> None:
    data = json.loads(MONTAGE.read_text())
    data["workflow"]["specification"]["tasks"][4]["parents"].append("mShrink_1")
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(data))
    answer = treadle("workflow", "import", str(file), code=2, as_json=False)
    assert "there is no task 'mShrink_1'" in answer.stderr

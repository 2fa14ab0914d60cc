"""The program that runs a command as a unit, called as units call it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle.execute import builtin

PROGRAM = Path(builtin.__path__[0]) / "command.py"


@dataclass
class Ended:
    code: int
    stdout: str
    stderr: str
    output: Any


@dataclass
class Units:
    folder: Path

    def run(self, *command: str, **args: Any) -> Ended:
        args_file, out_file = self.folder / "args.json", self.folder / "out.json"
        args_file.write_text(json.dumps({"command": command, **args}))
        out_file.unlink(missing_ok=True)
        words = [sys.executable, PROGRAM, "--args-json", args_file, "--out-json", out_file]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        output = json.loads(out_file.read_text()) if out_file.exists() else None
        return Ended(done.returncode, done.stdout, done.stderr, output)


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return Units(tmp_path)


def test_values_stand_in_for_placeholders_and_reach_the_program_as_single_words(units: Units) -> None:
    hostile = "a b; echo $(id) `id` > x & 'y'"
    ended = units.run(
        "printf", "%s|", "{text}", "n={number}", "{{plain}}", "{flag}", text=hostile, number=-5, flag=True
    )
    assert (ended.code, ended.stdout) == (0, f"{hostile}|n=-5|{{plain}}|true|")


def test_list_becomes_words(units: Units) -> None:
    ended = units.run("printf", "%s|", "{zarr_urls}", zarr_urls=["/a b", "/c"], zarr_dir=str(units.folder))
    assert ended.stdout == "/a b|/c|"


def test_command_runs_beside_its_item(units: Units) -> None:
    item = units.folder / "plate" / "image"
    item.parent.mkdir()
    assert units.run("pwd", zarr_url=str(item)).stdout == f"{item.parent}\n"


def test_command_without_item_runs_in_the_folder_of_the_dataset_which_it_makes(units: Units) -> None:
    folder = units.folder / "new" / "data"
    assert units.run("pwd", zarr_dir=str(folder)).stdout == f"{folder}\n"


@pytest.mark.parametrize(
    ("command", "args", "said"),
    [
        (["echo", "{zarr_ulr}"], {}, "{zarr_ulr} in '{zarr_ulr}' is no argument"),
        (["rm", "{name}"], {"name": "-rf"}, "begins with '-'"),
        (["rm", "{zarr_urls}"], {"zarr_urls": ["/a", "-rf"]}, "begins with '-'"),
        (["echo", "{name}"], {"name": {"a": 1}}, "is no word"),
        (["sh", "-ec", "cat {name}"], {"name": "x; id"}, "would become a part of the program"),
        (
            ["env", "A=1", "python3", "-c", "print('{name}')"],
            {"name": "x"},
            "would become a part of the program",
        ),
    ],
)
def test_command_that_cannot_be_put_together_is_refused(
    units: Units, command: list[str], args: dict[str, Any], said: str
) -> None:
    ended = units.run(*command, **args)
    assert ended.code == 125
    assert said in ended.stderr
    assert ended.stdout == ""


def test_program_text_of_a_shell_takes_values_as_its_own_arguments(units: Units) -> None:
    script = 'for each in "$@"; do echo "${each}!"; done'
    assert units.run("sh", "-euc", script, "sh", "{text}", text="$HOME; id").stdout == "$HOME; id!\n"


def test_exit_status_is_the_command_s(units: Units) -> None:
    ended = units.run("sh", "-c", "echo because >&2; exit 7")
    assert (ended.code, ended.stderr, ended.output) == (7, "because\n", None)


def test_signal_that_ended_the_command_is_named(units: Units) -> None:
    ended = units.run("sh", "-c", "kill -SEGV $$")
    assert ended.code == 128 + signal.SIGSEGV
    assert "signal 11 (SIGSEGV)" in ended.stderr


def test_program_that_is_not_there_is_named(units: Units) -> None:
    ended = units.run("no-such-program")
    assert ended.code == 127
    assert "'no-such-program'" in ended.stderr


def test_file_that_is_no_program_is_named(units: Units) -> None:
    (units.folder / "plain").write_text("text")
    ended = units.run(str(units.folder / "plain"))
    assert ended.code == 126
    assert "Permission denied" in ended.stderr


def test_output_that_was_not_left_fails_the_unit(units: Units) -> None:
    item = units.folder / "image"
    ended = units.run("true", zarr_url=str(item), outputs=["{zarr_url}.gz", "report.txt"])
    assert ended.code == 125
    assert f"did not leave {item}.gz, report.txt" in ended.stderr


def test_printed_text_goes_into_a_file_once_the_command_has_ended_well(units: Units) -> None:
    item = str(units.folder / "image")
    assert units.run("printf", "half", zarr_url=item, stdout="{zarr_url}.txt").stdout == ""
    assert Path(f"{item}.txt").read_text() == "half"
    assert units.run("sh", "-c", "echo other; exit 1", zarr_url=item, stdout="{zarr_url}.txt").code == 1
    assert Path(f"{item}.txt").read_text() == "half"
    assert [path.name for path in units.folder.glob("image*")] == ["image.txt"]


def test_output_becomes_an_item_that_comes_from_the_unit_s(units: Units) -> None:
    item = units.folder / "image"
    item.write_text("pixels")
    ended = units.run("cp", "{zarr_url}", "{zarr_url}.copy", zarr_url=str(item), item="{zarr_url}.copy")
    assert ended.output == {"image_list_updates": [{"zarr_url": f"{item}.copy", "origin": str(item)}]}


def test_item_without_an_origin_is_named_by_its_whole_path(units: Units) -> None:
    folder = units.folder / "data"
    ended = units.run("touch", "new", zarr_dir=str(folder), item="new")
    assert ended.output == {"image_list_updates": [{"zarr_url": f"{folder}/new"}]}

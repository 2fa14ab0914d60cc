"""What stands in a script is the script's own in every process that has it: its functions and its classes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STUDY = """
import enum, sys
from dataclasses import dataclass
from treadle.cache import cached

class Colour(enum.Enum):
    RED = 1

class Spilt(Exception):
    pass

@dataclass
class Paint:
    colour: Colour
    amount: float

@cached(version=1)
def mix(amount):
    print("mixes", file=sys.stderr)
    return Paint(Colour.RED, amount)

@cached(version=1, code=True, exceptions=Spilt)
def pour(amount):
    print("pours", file=sys.stderr)
    raise Spilt(amount)

def check(amount):
    made = mix(amount)
    assert made == Paint(Colour.RED, amount), made
    assert made.colour is Colour.RED
    try:
        pour(amount)
    except Spilt:
        return made
    raise AssertionError("nothing was spilt")

if __name__ == "__main__":
    check(3)
"""

WORKER = """
import sys
from treadle.execute.functions import find_function
find_function(sys.argv[1] + ":check")(3)
"""

PREFECT = """
import sys
from prefect.utilities.importtools import load_script_as_module
load_script_as_module(sys.argv[1]).check(3)
"""

STRANGER = """
from treadle.cache.config import load
[kept] = load().query(name="mix")
made = kept.result()
assert (type(made).__name__, made.amount, made.colour.name) == ("Paint", 3, "RED"), made
"""


class Study:
    """A script in a folder of its own, which a link leads to as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "studies"
        self.folder.mkdir(parents=True)
        self.file = self.folder / "study.py"
        self.file.write_text(STUDY)
        self.link = folder / "link"
        self.link.symlink_to(self.folder)
        self.home = folder / "home"

    def run(self, *words: str | Path) -> str:
        """Run Python, and return what was computed."""
        done = subprocess.run(
            [sys.executable, *words],
            env={**os.environ, "TREADLE_HOME": str(self.home)},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.mark.parametrize("serialiser", ["cloudpickle", "dill"])
def test_what_a_script_made_is_its_own_in_every_process_that_has_it(tmp_path: Path, serialiser: str) -> None:
    study = Study(tmp_path)
    table = f'[kept]\ntemplate = "{serialiser}"\nroot = "kept"\n'
    (study.folder / "fleche.toml").write_text(f'[default]\ncache = "kept"\n{table}')

    assert study.run(study.file) == "mixes\npours\n"

    assert study.run(study.link / "study.py") == ""
    assert study.run("-c", WORKER, study.file) == ""
    assert study.run("-c", PREFECT, study.file) == ""
    assert study.run("-c", STRANGER) == ""


def test_what_a_worker_made_is_the_scripts_own(tmp_path: Path) -> None:
    study = Study(tmp_path)

    assert study.run("-c", WORKER, study.file) == "mixes\npours\n"

    assert study.run(study.file) == ""


def test_workers_tell_scripts_of_one_name_apart(tmp_path: Path) -> None:
    one, other = Study(tmp_path / "one"), Study(tmp_path / "other")
    other.home = one.home
    one.run("-c", WORKER, one.file)

    assert "mixes" in other.run("-c", WORKER, other.file)

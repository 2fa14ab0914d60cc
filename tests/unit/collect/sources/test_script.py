from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from treadle.collect.sources.script import Script, parse_script
from treadle.collect.sources.script_wheel import write_wheel
from treadle.errors import SourceInvalid

FILE = Path("/somewhere/measure-areas.py")
MARKED = "import treadle\n\n@treadle.task\ndef measure(zarr_url: str) -> None: ...\n"


def block(*lines: str) -> str:
    return "".join(f"#{' ' if line else ''}{line}\n" for line in ("/// script", *lines, "///"))


def test_everything_that_a_script_says_of_itself_is_read() -> None:
    text = "#!/usr/bin/env python3\n" + block(
        'requires-python = ">=3.11"',
        "dependencies = [",
        '  "numpy>=2",',
        '  "lib @ git+https://host/lib@main",',
        "]",
        "",
        "[tool.treadle]",
        'name = "Lab_Measures"',
        'version = "1.0.0-rc1"',
        "[tool.treadle.tasks]",
        '"Measure areas" = "measure"',
    )

    assert parse_script(text + "def measure(): ...\n", FILE) == Script(
        name="lab-measures",
        version="1.0.0rc1",
        module="measure_areas",
        requires=("numpy>=2", "lib @ git+https://host/lib@main"),
        requires_python=">=3.11",
        tasks={"Measure areas": "measure"},
    )


@pytest.mark.parametrize(
    "mark", ["@treadle.task", "@treadle.task(init=prepare)", "@task", '@task(name="Measure areas")']
)
def test_marked_functions_are_tasks_and_the_stem_is_the_name(mark: str) -> None:
    text = f"{block('dependencies = []')}{mark}\ndef measure(): ...\n"

    assert parse_script(text, FILE) == Script("measure-areas", "0", "measure_areas")


def test_other_blocks_do_not_count() -> None:
    text = f"# /// other\n# dependencies = 1\n# ///\n\n{block('dependencies = []')}{MARKED}"

    assert parse_script(text, FILE).requires == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MARKED, "has no block of inline metadata"),
        (block() + MARKED, "has no block of inline metadata"),
        (block("a = 1") + "\n" + block("a = 1") + MARKED, "has 2 blocks of inline metadata"),
        ("\n" + block("dependencies = []", "this is no toml") + MARKED, "line 4: "),
        (block("dependencies = [", "'numpy',", "'not a name'", "]") + MARKED, "line 4: 'not a name' is no"),
        (block("", "dependencies = 'numpy'") + MARKED, "line 3: dependencies has to be a list"),
        (block("dependencies = [1]") + MARKED, "line 2: 1 is no requirement"),
        (block("requires-python = 'new'") + MARKED, "line 2: 'new' is no range"),
        (block("[tool.treadle]", "version = 'new'") + MARKED, "line 3: 'new' is no version"),
        (block("[tool.treadle]", "name = '-x'") + MARKED, "line 3: '-x' is no name"),
        (block("dependencies = ['Measure_Areas']") + MARKED, "has the name of its own dependency"),
        (block("[tool.uv.sources]", "x = {path = '.'}") + MARKED, r"line 2: \[tool\.uv\.sources\] is not"),
        (block("[tool.treadle.tasks]", "'a = b' = 'f'") + MARKED, "line 3: 'a = b' cannot be the name"),
        (block("[tool.treadle.tasks]", "a = 'os:system'") + MARKED, "line 3: the task 'a' has to name"),
        (block("[tool.treadle.tasks]", "a = 'count'") + MARKED, "no function count, which is to be"),
        (block("a = 1") + "def measure(): ...\n", "has no tasks"),
        (block("a = 1") + "def measure(:\n", "line 4: "),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(SourceInvalid, match=message) as caught:
        parse_script(text, FILE)

    assert str(FILE) in str(caught.value)
    assert caught.value.remedy


def test_wheel_depends_on_nothing_but_the_script(tmp_path: Path) -> None:
    script = Script("x-y", "1.0", "z", ("numpy>=2",), ">=3.11", {"Count them": "count"})
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        wheel = write_wheel(script, b"def count(): ...\n", tmp_path / name)
        digests.add(hashlib.sha256(wheel.read_bytes()).hexdigest())

    assert len(digests) == 1
    with zipfile.ZipFile(wheel) as archive:
        read = {name: archive.read(name).decode() for name in archive.namelist()}
    assert wheel.name == "x_y-1.0-py3-none-any.whl"
    assert read["treadle_script_x_y/z.py"] == "def count(): ...\n"
    assert read["x_y-1.0.dist-info/entry_points.txt"] == (
        "[treadle.tasks]\nCount them = treadle_script_x_y.z:count\n"
    )
    assert "Requires-Python: >=3.11\nRequires-Dist: numpy>=2\n" in read["x_y-1.0.dist-info/METADATA"]
    assert len(read["x_y-1.0.dist-info/RECORD"].splitlines()) == len(read)

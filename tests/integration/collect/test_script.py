from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import parse_source
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.errors import SourceInvalid

pytestmark = pytest.mark.integration

SCRIPT = """# /// script
# requires-python = ">=3.9"
# dependencies = ["lib==1.0"]
# [tool.treadle]
# version = "2.0"
# [tool.treadle.tasks]
# "Measure areas" = "measure"
# ///
import lib

def measure(zarr_url: str) -> str:
    return lib.greeting + zarr_url
"""


def prepare_source(here, source: Path) -> Prepared:
    uv = Uv(here.settings, Progress(here.phases.append))
    interpreter = examine(here.settings.python)
    return prepare(parse_source(str(source)), options=CollectOptions(), interpreter=interpreter, uv=uv)


def test_wheel_of_a_script_is_installed_with_what_it_needs(here, tmp_path: Path, index, make_wheel) -> None:
    index.add(make_wheel("lib", "1.0", files={"lib.py": "greeting = 'hello '\n"}))
    file = tmp_path / "my script.py"
    file.write_text(SCRIPT.replace("[tool.treadle]", '[tool.treadle]\n# name = "my-script"'))

    prepared = prepare_source(here, file)

    assert (prepared.origin, prepared.source) == ("script", str(file))
    assert (prepared.name, prepared.version) == ("my-script", "2.0")
    environment = tmp_path / "environment"
    python = str(environment / "bin" / "python")
    uv = Uv(here.settings, Progress(here.phases.append))
    uv.run(["venv", "--python", str(here.settings.python), str(environment)], folder=tmp_path)
    uv.run(["pip", "install", "--python", python, str(prepared.wheel)], folder=tmp_path)
    body = (
        "from importlib.metadata import entry_points\n"
        "(found,) = entry_points(group='treadle.tasks')\nprint(found.name, '|', found.load()('x.zarr'))"
    )
    ended = subprocess.run([python, "-I", "-c", body], capture_output=True, text=True, check=True)
    assert ended.stdout == "Measure areas | hello x.zarr\n"
    assert prepare_source(here, file).wheel == prepared.wheel


def test_script_that_needs_another_python_is_refused(here, tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.replace(">=3.9", ">=3.99"))

    with pytest.raises(SourceInvalid, match=r"script\.py needs Python >=3\.99"):
        prepare_source(here, file)


def test_file_that_is_not_there_or_no_text_is_refused(here, tmp_path: Path) -> None:
    with pytest.raises(SourceInvalid, match="cannot be read"):
        prepare_source(here, tmp_path / "gone.py")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceInvalid, match="no text in UTF-8"):
        prepare_source(here, tmp_path / "binary.py")

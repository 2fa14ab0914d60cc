"""`@treadle.task`: what it keeps of a function, what it says of it, and what it refuses."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

import treadle
from treadle import task
from treadle.model import marks, resources
from treadle.model.marks import Mark, mark_of
from treadle.model.task import TaskType


def measure(zarr_url: str, level: int = 0) -> None:
    """Measure."""


def list_items(zarr_dir: str) -> dict[str, Any]:
    return {"parallelization_list": [zarr_dir]}


class Measure:
    """A class is no function."""


async def later(zarr_url: str) -> None:
    """A coroutine returns nothing to a plain caller."""


def several(zarr_url: str) -> Any:
    yield zarr_url


@pytest.fixture(autouse=True)
def unmarked() -> Any:
    yield
    vars(measure).pop(marks.ATTRIBUTE, None)


def test_a_marked_function_is_the_function_itself() -> None:
    before = (measure.__doc__, measure.__annotations__, measure.__module__)

    assert task(measure) is measure
    assert (measure.__doc__, measure.__annotations__, measure.__module__) == before
    assert mark_of(measure) == Mark()


def test_a_mark_with_arguments_keeps_them() -> None:
    marked = task(
        name="Measure Regions",
        type="converter_compound",
        input_types={"is_3D": True},
        output_types={"measured": True},
        category="Measurement",
        modality="HCS",
        tags=["regions", "tables"],
        resources={"cpus_per_task": 2, "mem": "4G"},
        init=list_items,
        init_resources={"mem": 500},
    )(measure)

    assert marked is measure
    assert mark_of(measure) == Mark(
        name="Measure Regions",
        type="converter_compound",
        input_types={"is_3D": True},
        output_types={"measured": True},
        category="Measurement",
        modality="HCS",
        tags=("regions", "tables"),
        resources={"cpus_per_task": 2, "mem": "4G"},
        init=list_items,
        init_resources={"mem": 500},
    )


def test_what_nobody_marked_has_no_mark() -> None:
    assert mark_of(measure) is None
    assert mark_of(None) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"type": "serial"}, "type='serial'.*one of parallel, non_parallel"),
        ({"type": "compound"}, "init="),
        ({"type": "parallel", "init": list_items}, "only a compound task has an init"),
        ({"init": "list_items"}, "give the name as"),
        ({"init_resources": {"mem": 500}}, "no init function"),
        ({"name": " "}, "name=' '"),
        ({"category": 3}, "category=3"),
        ({"input_types": {"is_3D": 1}}, "input_types=.*True or False"),
        ({"output_types": ["is_3D"]}, "output_types="),
        ({"tags": "one"}, "tags='one'.*list of texts"),
        ({"tags": 4}, "tags=4"),
        ({"resources": 4}, "resources=4"),
        ({"resources": {"memory": 4}}, "'memory' is none of .*mem"),
        ({"resources": {"mem": Path("/")}}, "not JSON serializable"),
        ({"colour": "red"}, "colour"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else "",
)
def test_a_mark_that_says_what_no_task_can_be_is_refused(words: dict[str, Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        task(**words)(measure)


@pytest.mark.parametrize(
    ("marked", "said"),
    [
        (Measure, "Measure is a class"),
        (later, "later is async"),
        (several, "several yields"),
        (functools.partial(measure, level=1), "is a partial"),
        (lambda: None, "is inside another function|found by its name"),
        ("Measure", "give the name as name='Measure'"),
    ],
    ids=["class", "async", "generator", "partial", "lambda", "name by place"],
)
def test_a_mark_on_anything_but_a_plain_function_is_refused(marked: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        task(marked)


def test_types_and_resources_are_those_of_the_engine() -> None:
    assert tuple(TaskType) == marks.TYPES
    known = set(resources._Meta.model_fields) - {"account"}
    assert set(marks.RESOURCES) == known


def test_importing_treadle_imports_nothing_else_of_it() -> None:
    program = (
        "import sys, treadle; before = [name for name in sys.modules if name.startswith('treadle.')];"
        "treadle.task; print(before, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[] False\n"


def test_what_treadle_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'tusk'"):
        treadle.tusk  # noqa: B018
    assert all(hasattr(treadle, name) for name in treadle.__all__)


def test_marks_can_be_set_in_environments_of_any_python_from_3_9() -> None:
    file = Path(str(marks.__file__))
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    vermin = Path(sysconfig.get_path("scripts"), "vermin")
    done = subprocess.run(
        [vermin, "--target=3.9-", "--violations", "--no-tips", "--processes=1", file],
        capture_output=True,
        text=True,
        check=False,
    )

    assert {str(name).partition(".")[0] for name in modules} <= sys.stdlib_module_names
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.integration
def test_a_type_checker_sees_the_functions_own_signature(tmp_path: Path) -> None:
    file = tmp_path / "typed.py"
    file.write_text(
        "from treadle import task\n"
        "@task\ndef bare(zarr_url: str, *, level: int = 0) -> None: ...\n"
        "@task(name='Named')\ndef named(zarr_url: str, level: int) -> dict[str, int]: return {}\n"
        "reveal_type(bare)\nreveal_type(named)\n"
    )
    options = ["--strict", "--follow-imports=silent", "--cache-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, file], capture_output=True, text=True, check=False
    )
    said = done.stdout.replace("builtins.", "")

    assert '"def (zarr_url: str, *, level: int =)"' in said
    assert '"def (zarr_url: str, level: int) -> dict[str, int]"' in said
    assert done.returncode == 0, said

"""Functions as tasks: where workers find them, and what their signatures say."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import treadle
from treadle.authoring.functions import install, place_of, task_of
from treadle.errors import SourceInvalid, WorkflowInvalid
from treadle.ledger import Ledger, packages, sqlite_url
from treadle.model.task import TaskType

TEXT = """
import treadle

@treadle.task(name="Count cells", output_types={"counted": True}, resources={"mem": 500})
def count(zarr_url: str, threshold: float = 0.5) -> dict:
    '''Counts cells.

    Args:
        threshold: Between background and cells.
    '''

def gather(zarr_urls: list[str], zarr_dir: str) -> None: ...
def make(count: int) -> None: ...
def number(count: int) -> float: ...
def vague(zarr_url: str, x) -> None: ...
async def later(zarr_url: str) -> None: ...
def outer():
    def inner(zarr_url: str) -> None: ...
    return inner
nameless = lambda zarr_url: None
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "cell_functions.py").write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cell_functions", raising=False)
    return importlib.import_module("cell_functions")


def test_a_functions_place_says_where_its_module_lies(module: ModuleType, tmp_path: Path) -> None:
    place = place_of(module.count)
    assert place.spelled == f"cell_functions:count@{tmp_path}"


def test_an_installed_functions_place_needs_no_folder() -> None:
    assert place_of(pytest.fixture).spelled == "_pytest.fixtures:fixture"


@pytest.mark.parametrize("get", [lambda m: m.nameless, lambda m: m.outer(), lambda m: m.later])
def test_a_function_that_no_worker_could_call_is_refused(
    module: ModuleType, get: Callable[[ModuleType], Any]
) -> None:
    with pytest.raises(SourceInvalid):
        place_of(get(module))


def run(*words: str, text: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *words], input=text, capture_output=True, text=True, check=False, timeout=60
    )
    return done.stdout + done.stderr


ASK = "from treadle.authoring.functions import place_of\ndef f(x): return x\nprint(place_of(f).spelled)\n"


def test_a_function_of_the_script_that_runs_is_found_by_the_scripts_file(tmp_path: Path) -> None:
    (tmp_path / "study.py").write_text(ASK)
    assert run(str(tmp_path / "study.py")).strip() == f"{tmp_path}/study.py:f"


def test_a_function_of_a_module_that_runs_is_found_by_the_modules_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "first.py").write_text(ASK)
    monkeypatch.chdir(tmp_path)
    assert run("-m", "studies.first").strip() == f"studies.first:f@{tmp_path}"


@pytest.mark.parametrize("name", ["my-study.py", "random.py"])
def test_a_script_whose_name_no_module_can_have_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / name).write_text(ASK)
    assert "Give the file a name" in run("-P", str(folder / name))


def test_a_function_without_a_file_is_refused_with_a_remedy() -> None:
    assert "Write it into a module" in run("-", text=ASK)


def test_a_mark_and_a_signature_make_a_task(module: ModuleType, tmp_path: Path) -> None:
    task = task_of(module.count)
    assert (task.package, task.name, task.type) == ("cell_functions", "Count cells", TaskType.PARALLEL)
    assert (task.output_types, task.docs_info) == ({"counted": True}, "Counts cells.")
    part = task.parallel
    assert part is not None
    assert (part.function, part.folder) == ("cell_functions:count", str(tmp_path))
    assert part.meta == {"mem": 500}
    assert part.args_schema is not None
    assert part.args_schema["properties"]["threshold"]["description"] == "Between background and cells."


def test_the_arguments_say_of_what_type_a_task_is(module: ModuleType) -> None:
    assert task_of(module.gather).type is TaskType.NON_PARALLEL
    assert task_of(module.make).type is TaskType.CONVERTER_NON_PARALLEL


def test_a_function_over_values_is_no_task(module: ModuleType) -> None:
    with pytest.raises(WorkflowInvalid, match="number: returns float") as raised:
        task_of(module.number)
    assert "load_function" in str(raised.value)


def test_an_argument_without_annotation_is_named(module: ModuleType) -> None:
    with pytest.raises(WorkflowInvalid, match="argument 'x' has no annotation"):
        task_of(module.vague)


def test_functions_of_one_module_do_not_displace_each_other(module: ModuleType, tmp_path: Path) -> None:
    with Ledger(sqlite_url(tmp_path / "ledger.sqlite")) as ledger:
        for function in (module.count, module.make, module.count):
            install(ledger, task_of(function))
        with ledger.reading() as tx:
            names = [entry.task.name for entry in packages.list_tasks(tx, "cell_functions")]
    assert sorted(names) == ["Count cells", "make"]


def test_importing_treadle_imports_nothing_else() -> None:
    said = run("-c", "import sys, treadle; print([m for m in sys.modules if m.startswith('treadle.')])")
    assert said.strip() == "[]"


def test_every_public_name_can_be_had() -> None:
    assert all(getattr(treadle, name) is not None for name in treadle.__all__)
    with pytest.raises(AttributeError):
        treadle.nonsense  # noqa: B018 - asking is the test

"""Function units: plain functions, called in the worker's process."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from treadle.execute.batch import Batch, UnitCall, run_batch
from treadle.execute.journal import read_journals
from treadle.execute.worker import worker_name
from treadle.model.states import Cause, UnitState

MODULE = "functions_of_a_test"


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{MODULE}.py").write_text(
        "class Group:\n"
        "    @staticmethod\n"
        "    def add(a, b): return {'image_list_updates': [{'zarr_url': f'/d/{a + b}'}]}\n"
        "def nothing(): pass\n"
        "def fail(well): raise ValueError(f'no such well: {well}')\n"
        "def leave(): raise SystemExit(3)\n"
        "def give(value): return eval(value)\n"
        "number = 7\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, MODULE, raising=False)


def batch(folder: Path, *calls: tuple[str, dict[str, Any]]) -> Batch:
    units = tuple(
        UnitCall(index, function=name if ":" in name else f"{MODULE}:{name}", args=args)
        for index, (name, args) in enumerate(calls)
    )
    return Batch(run_id=1, position=2, step="000-step", calls=units, log_folder=str(folder), environment={})


@pytest.mark.usefixtures("functions")
def test_what_a_function_returns_is_its_units_output(tmp_path: Path) -> None:
    added, nothing = run_batch(batch(tmp_path, ("Group.add", {"a": 1, "b": 2}), ("nothing", {})))
    assert (added.state, added.output) == (UnitState.DONE, {"image_list_updates": [{"zarr_url": "/d/3"}]})
    assert (nothing.state, nothing.output, nothing.error, nothing.exit_code) == (
        UnitState.DONE,
        None,
        None,
        None,
    )
    assert (added.worker, added.index, nothing.index, nothing.attempt) == (worker_name(), 0, 1, 1)
    assert added.seconds > 0
    assert added.peak_memory_bytes > 1_000_000
    assert list(read_journals(tmp_path)) == [(2, added), (2, nothing)]


@pytest.mark.usefixtures("functions")
def test_an_exception_fails_its_unit_only_and_says_where(tmp_path: Path) -> None:
    failed, left, after = run_batch(batch(tmp_path, ("fail", {"well": "B2"}), ("leave", {}), ("nothing", {})))
    assert (failed.state, failed.cause) == (UnitState.FAILED, Cause.FAILED)
    assert failed.error is not None
    assert failed.error.splitlines()[0] == "Traceback (most recent call last):"
    assert failed.error.splitlines()[1].endswith(f'{MODULE}.py", line 5, in fail')
    assert failed.error.endswith("ValueError: no such well: B2")
    assert (left.cause, after.state) == (Cause.FAILED, UnitState.DONE)


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize(
    "value",
    ["{'surprise': 1}", "7", "object()", "{'image_list_updates': [{'zarr_url': 'relative'}]}", "{1, 2}"],
)
def test_a_value_that_is_no_units_output_is_invalid(tmp_path: Path, value: str) -> None:
    [record] = run_batch(batch(tmp_path, ("give", {"value": value})))
    assert (record.state, record.cause, record.output) == (UnitState.FAILED, Cause.INVALID_OUTPUT, None)
    assert record.error


@pytest.mark.usefixtures("functions")
def test_an_init_function_says_which_units_follow(tmp_path: Path) -> None:
    value = "{'parallelization_list': [{'zarr_url': '/d/a'}]}"
    units = batch(tmp_path, ("give", {"value": value}))
    [init] = run_batch(replace(units, calls=(replace(units.calls[0], is_init=True),)))
    [unit] = run_batch(units)
    assert (init.state, unit.cause) == (UnitState.DONE, Cause.INVALID_OUTPUT)


@pytest.mark.usefixtures("functions")
@pytest.mark.parametrize("name", ["missing", "number", "no_such_module:f", ":f", f"{MODULE}:"])
def test_a_name_of_no_function_is_told_apart_from_one_that_fails(tmp_path: Path, name: str) -> None:
    [record] = run_batch(batch(tmp_path, (name, {})))
    assert (record.state, record.cause) == (UnitState.FAILED, Cause.COMMAND_INVALID)


@pytest.mark.usefixtures("functions")
def test_function_units_leave_one_file(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    run_batch(batch(logs, *(("nothing", {}),) * 100))
    assert [file.name for file in logs.iterdir()] == [f"journal-{worker_name()}.jsonl"]


@pytest.mark.usefixtures("functions")
def test_a_function_gets_what_it_takes_as_its_annotations_say(tmp_path: Path) -> None:
    (tmp_path / "annotated_functions.py").write_text(
        "from pathlib import Path\n"
        "def name(folder: Path, times: float = 2): return {'value': [folder.name, type(times).__name__]}\n"
        "def where(zarr_url): return {'value': zarr_url}\n"
        "def every(**given): return {'value': sorted(given)}\n"
    )
    engine = {"zarr_url": "/d/a", "zarr_dir": "/d"}
    calls = [
        ("annotated_functions:name", {"folder": "/x/y", "times": 3, **engine}),
        ("annotated_functions:where", engine),
        ("annotated_functions:every", engine),
        ("annotated_functions:name", {"folder": 7}),
    ]
    *good, bad = run_batch(batch(tmp_path, *calls))
    assert [record.output for record in good] == [
        {"value": ["y", "float"]},
        {"value": "/d/a"},
        {"value": ["zarr_dir", "zarr_url"]},
    ]
    assert bad.cause is Cause.FAILED
    assert "folder" in (bad.error or "")


def test_a_function_may_lie_in_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "with@sign"
    folder.mkdir()
    (folder / "functions_elsewhere.py").write_text("def f(): return {'value': 1}\n")
    [record] = run_batch(batch(tmp_path, (f"functions_elsewhere:f@{folder}", {})))
    assert record.output == {"value": 1}


def test_a_function_of_a_script_is_found_by_the_scripts_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "with:colon@sign"
    folder.mkdir()
    (folder / "script_elsewhere.py").write_text("def f(): return {'value': __name__}\n")
    [record] = run_batch(batch(tmp_path, (f"{folder}/script_elsewhere.py:f", {})))
    assert record.output == {"value": "script_elsewhere"}

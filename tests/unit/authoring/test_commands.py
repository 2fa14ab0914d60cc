"""Commands as tasks: what they are called with, and how they are recorded."""

from __future__ import annotations

import inspect
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

import treadle
from treadle.authoring import held
from treadle.errors import ArgumentsInvalid, WorkflowInvalid
from treadle.ledger import packages
from treadle.model.task import Part, TaskType


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder of its own, whose ledger this process opens."""
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    yield tmp_path
    held.close()


def gzip(**changes: Any) -> treadle.CommandTask:
    described: dict[str, Any] = {
        "arguments": {"level": (Annotated[int, Field(ge=1, le=9, description="How hard.")], 6)},
        "item": "{zarr_url}.gz",
    }
    return treadle.command_task("gzip", ["gzip", "-{level}", "{zarr_url}"], **{**described, **changes})


def test_arguments_are_those_that_are_not_the_engine_s(home: Path) -> None:
    assert home
    task = gzip()
    assert str(inspect.signature(task)) == "(*, level: int = 6)"
    assert "How hard. (at least 1, at most 9)" in (task.__doc__ or "")
    call = task(level=9)
    assert call.arguments == {
        Part.PARALLEL: {"level": 9, "command": ["gzip", "-{level}", "{zarr_url}"], "item": "{zarr_url}.gz"}
    }


def test_value_that_is_left_out_is_the_default() -> None:
    assert gzip()().arguments[Part.PARALLEL]["level"] == 6


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"level": 10}, "level"),
        ({"level": "x"}, "level"),
        ({"levle": 1}, "levle"),
        ({"command": ["id"]}, "command"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=said):
        gzip()(**values)


def test_no_step_makes_another_command_of_it() -> None:
    """A form or a JSON file could try."""
    workflow = treadle.Workflow("w")
    workflow.add(gzip())
    document: Any = workflow.to_json()
    document["task_list"][0]["args_parallel"]["command"] = ["id"]
    changed = treadle.Workflow.from_json(document)
    dataset = treadle.Dataset.create("d", "/data", ["/data/a"])
    workflow.plan(dataset)
    with pytest.raises(ArgumentsInvalid, match="command"):
        changed.plan(dataset)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (["wc", "{zarr_url}"], TaskType.PARALLEL),
        (["wc", "{zarr_urls}"], TaskType.NON_PARALLEL),
        (["ls", "{zarr_dir}"], TaskType.CONVERTER_NON_PARALLEL),
        (["true"], TaskType.CONVERTER_NON_PARALLEL),
    ],
)
def test_command_is_called_as_its_words_say(command: list[str], kind: TaskType) -> None:
    assert treadle.command_task("c", command).task.type is kind


@pytest.mark.parametrize(
    ("command", "changes", "said"),
    [
        ([], {}, "has no word"),
        (["cat", "{zarr_ulr}"], {}, "{zarr_ulr} in '{zarr_ulr}' is no argument"),
        (["cat", "{zarr_url}"], {"outputs": ["{other}"]}, "{other}"),
        (["cat", "{zarr_url}", "{zarr_urls}"], {}, "not on both"),
        (["sh", "-c", "cat {zarr_url}"], {}, "would become a part of the program"),
        (["cat", "{zarr_url}"], {"arguments": {"command": 1}}, "'command' is the engine's"),
        (["cat", "{zarr_url}"], {"arguments": {"a b": 1}}, "'a b' is no name"),
    ],
)
def test_command_that_could_not_run_is_refused_where_it_is_written(
    command: list[str], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(WorkflowInvalid, match=said):
        treadle.command_task("c", command, **changes)


def test_arguments_are_given_by_default_by_type_or_both() -> None:
    task = treadle.command_task(
        "c",
        ["echo", "{a}", "{b}", "{c}", "{d}"],
        arguments={"a": 1.5, "b": str, "c": (int, 3), "d": Literal["x", "y"]},
    )
    assert str(inspect.signature(task)) == "(*, b: str, d: Literal['x', 'y'], a: float = 1.5, c: int = 3)"


def test_changed_command_is_another_version_and_the_same_one_is_the_same() -> None:
    first, again, other = gzip(), gzip(), gzip(item="{zarr_url}.gzip")
    assert first.task.ref == again.task.ref
    assert (
        (first.task.package, first.task.name)
        == (other.task.package, other.task.name)
        == ("command-gzip", "gzip")
    )
    assert first.task.version != other.task.version
    with held.session().ledger.reading() as tx:
        assert len(packages.list_tasks(tx, "command-gzip")) == 2


def test_resources_are_the_task_s() -> None:
    task = gzip(resources={"memory": "2G", "cpus": 2})
    assert task.task.part(Part.PARALLEL).meta == {"mem": 2000, "cpus_per_task": 2}


def test_example_of_the_documentation_stores_its_workflow() -> None:
    example = Path(__file__).parents[3] / "docs" / "examples" / "flows" / "commands.py"
    runpy.run_path(str(example))
    [compress, digests] = treadle.Workflow.load("archive").definition.steps
    assert compress.args(Part.PARALLEL)["level"] == 9
    assert (digests.task.name, digests.needs) == ("digests", ("compress",))

"""Expansion of a step into units."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.model.dataset import Item
from treadle.model.outputs import InitItem
from treadle.model.task import Part, Task, TaskType
from treadle.model.units import ENGINE_ARGUMENTS, compute_units, engine_arguments, first_units
from treadle.model.workflow import Step
from treadle.testing import strategies

init_items = st.builds(
    InitItem,
    zarr_url=strategies.item_urls(),
    init_args=st.dictionaries(
        st.sampled_from(["a", "b"]), st.sampled_from([1, True, 1.0, "1", None]), max_size=2
    ),
)


@given(strategies.tasks(TaskType.PARALLEL), strategies.steps("s"), strategies.item_lists())
def test_a_parallel_task_has_each_item_exactly_once(task: Task, step: Step, items: list[Item]) -> None:
    units = first_units(task, step, items, strategies.FOLDER)
    assert [unit.zarr_url for unit in units] == [item.zarr_url for item in items]
    assert [unit.index for unit in units] == list(range(len(items)))
    for unit in units:
        assert unit.part is Part.PARALLEL
        assert unit.args == {**step.args(Part.PARALLEL), "zarr_url": unit.zarr_url}


@pytest.mark.parametrize("kind", [TaskType.NON_PARALLEL, TaskType.COMPOUND])
@given(data=st.data(), step=strategies.steps("s"), items=strategies.item_lists())
def test_a_single_or_init_call_is_given_all_items(
    kind: TaskType, data: st.DataObject, step: Step, items: list[Item]
) -> None:
    (unit,) = first_units(data.draw(strategies.tasks(kind)), step, items, strategies.FOLDER)
    assert (unit.index, unit.part, unit.zarr_url) == (0, Part.NON_PARALLEL, None)
    urls = [item.zarr_url for item in items]
    assert unit.args == {**step.args(Part.NON_PARALLEL), "zarr_dir": strategies.FOLDER, "zarr_urls": urls}


@pytest.mark.parametrize("kind", [TaskType.CONVERTER_NON_PARALLEL, TaskType.CONVERTER_COMPOUND])
@given(data=st.data(), step=strategies.steps("s"), items=strategies.item_lists())
def test_a_converter_is_never_given_items(
    kind: TaskType, data: st.DataObject, step: Step, items: list[Item]
) -> None:
    (unit,) = first_units(data.draw(strategies.tasks(kind)), step, items, strategies.FOLDER)
    assert unit.args == {**step.args(Part.NON_PARALLEL), "zarr_dir": strategies.FOLDER}


def test_an_item_listed_twice_is_one_unit() -> None:
    task = a_task(TaskType.PARALLEL)
    step = Step(name="s", task=task.ref)
    assert len(first_units(task, step, [Item(zarr_url="/d/a"), Item(zarr_url="/d/a/")], "/d")) == 1


@given(strategies.steps("s"), st.lists(init_items, max_size=8), st.integers(0, 5))
def test_each_distinct_init_item_is_one_unit_in_the_order_of_first_mention(
    step: Step, asked: list[InitItem], first_index: int
) -> None:
    def spelled(url: str | None, args: object) -> str:
        return json.dumps([url, args], sort_keys=True)

    expected: list[str] = []
    for item in asked:
        if spelled(item.zarr_url, item.init_args) not in expected:
            expected.append(spelled(item.zarr_url, item.init_args))
    units = compute_units(step, asked, first_index)
    assert [spelled(unit.zarr_url, unit.args["init_args"]) for unit in units] == expected
    assert [unit.index for unit in units] == list(range(first_index, first_index + len(expected)))
    for unit in units:
        assert unit.part is Part.PARALLEL
        assert unit.args["zarr_url"] == unit.zarr_url
        assert {**unit.args, **step.args(Part.PARALLEL)} == unit.args


@given(strategies.tasks())
def test_the_engines_arguments_are_those_that_units_get(task: Task) -> None:
    step = Step(name="s", task=task.ref)
    units = first_units(task, step, [Item(zarr_url="/d/a")], "/d")
    if task.type.is_compound:
        units += compute_units(step, [InitItem(zarr_url="/d/a")], 1)
    assert {unit.part for unit in units} == task.type.parts
    for unit in units:
        assert unit.args.keys() == engine_arguments(task.type, unit.part)
        assert unit.args.keys() <= ENGINE_ARGUMENTS


def a_task(kind: TaskType) -> Task:
    return Task.model_validate(
        {"package": "p", "version": "1", "name": "t", "type": kind}
        | {str(part): {"executable": "run.py"} for part in kind.parts}
    )

"""What a unit leaves behind is told early only as merging the whole step tells it in the end."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.model.dataset import Item
from treadle.model.merging import Outcome, identical, merge
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.pipelining import settled_items
from treadle.model.task import Part, Task, TaskType
from treadle.model.units import Unit
from treadle.testing import strategies

FOLDER = strategies.FOLDER


@dataclass(frozen=True)
class Ended:
    """A parallel task's step, all of whose units have ended."""

    task: Task
    items: list[Item]
    outcomes: list[Outcome]


@st.composite
def outputs(draw: st.DrawFn, item: Item) -> UnitOutput:
    """What a unit may return that reports its own item, and new ones of its own."""
    urls = [item.zarr_url, f"{item.zarr_url}-corrected", f"{item.zarr_url}-projected"]
    chosen = draw(st.lists(st.sampled_from(urls), unique=True, max_size=3))
    reported = draw(st.lists(st.sampled_from(chosen), unique=True)) if chosen else []
    updates = [
        ItemUpdate(
            zarr_url=url,
            origin=draw(st.sampled_from([None, item.zarr_url, url, f"{FOLDER}/elsewhere"])),
            attributes=draw(strategies.items()).attributes,
            types=draw(strategies.types()),
        )
        for url in reported
    ]
    removals = [item.zarr_url] if item.zarr_url not in reported and draw(st.booleans()) else []
    return UnitOutput(image_list_updates=tuple(updates), image_list_removals=tuple(removals))


@st.composite
def ended_steps(draw: st.DrawFn) -> Ended:
    """A step whose units keep to items of their own."""
    items = draw(strategies.item_lists())
    outcomes = [
        Outcome(Unit(index, Part.PARALLEL, item.zarr_url, {}), draw(st.booleans()), draw(outputs(item)))
        for index, item in enumerate(items)
    ]
    return Ended(draw(strategies.tasks(TaskType.PARALLEL)), items, outcomes)


@given(ended_steps())
def test_settled_items_are_those_of_the_merged_dataset(step: Ended) -> None:
    inputs = [item.zarr_url for item in step.items]
    merged = merge(step.items, task=step.task, zarr_dir=FOLDER, inputs=inputs, outcomes=step.outcomes)
    by_url = {item.zarr_url: item for item in merged.items}

    for item, outcome in zip(step.items, step.outcomes, strict=True):
        if outcome.done and (settled := settled_items(item, outcome.output, step.task)) is not None:
            assert all(identical(by_url[left.zarr_url], left) for left in settled)
            kept = {left.zarr_url for left in settled}
            assert set(outcome.output.image_list_removals).isdisjoint(kept)
            assert (item.zarr_url in by_url) is (item.zarr_url in kept)


def task(output_types: dict[str, bool]) -> Task:
    return Task.model_validate(
        {
            "package": "images",
            "version": "1",
            "name": "Smooth",
            "type": "parallel",
            "parallel": {"executable": "smooth.py"},
            "output_types": output_types,
        }
    )


ITEM = Item(zarr_url=f"{FOLDER}/a", types={"is_3D": True}, attributes={"well": "A1"})


def test_unit_that_works_in_place_and_says_nothing_leaves_its_item() -> None:
    assert settled_items(ITEM, UnitOutput(), task({})) == [ITEM]


def test_unit_that_says_nothing_settles_nothing_where_its_task_gives_a_type() -> None:
    """Whether silence counts as an update depends on whether any other unit speaks."""
    assert settled_items(ITEM, UnitOutput(), task({"smooth": True})) is None


@pytest.mark.parametrize("origin", [None, f"{FOLDER}/b"])
def test_item_that_derives_from_one_of_others_is_not_settled(origin: str | None) -> None:
    output = UnitOutput(image_list_updates=(ItemUpdate(zarr_url=f"{FOLDER}/new", origin=origin),))

    assert settled_items(ITEM, output, task({})) is None


def test_new_item_inherits_and_gets_the_task_types() -> None:
    update = ItemUpdate(zarr_url=f"{FOLDER}/new", origin=ITEM.zarr_url, attributes={"well": "B2"})

    settled = settled_items(ITEM, UnitOutput(image_list_updates=(update,)), task({"smooth": True}))

    assert settled == [
        ITEM,
        Item(
            zarr_url=f"{FOLDER}/new",
            origin=ITEM.zarr_url,
            attributes={"well": "B2"},
            types={"is_3D": True, "smooth": True},
        ),
    ]

"""Branches: what each step sees, what merging makes of them, and what they may not do to the same item."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import MergeFailed
from treadle.model.dataset import Item
from treadle.model.merging import Outcome
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.replay import StepOutcomes, replay
from treadle.model.task import Part, Task, TaskPart, TaskType
from treadle.model.units import Unit

FOLDER = "/data"
URL = f"{FOLDER}/a"
SNAPSHOT = (Item(zarr_url=URL, attributes={"well": "A1"}), Item(zarr_url=f"{FOLDER}/b"))


def step(
    name: str,
    after: Sequence[int] = (),
    updates: Sequence[ItemUpdate] = (),
    removals: Sequence[str] = (),
    types: dict[str, bool] | None = None,
) -> StepOutcomes:
    """A step of one call that was given all items of the snapshot and reported this."""
    task = Task(
        package="p",
        version="1",
        name=name,
        type=TaskType.NON_PARALLEL,
        non_parallel=TaskPart(executable="t.py"),
        output_types=types or {},
    )
    output = UnitOutput(image_list_updates=tuple(updates), image_list_removals=tuple(removals))
    outcome = Outcome(Unit(0, Part.NON_PARALLEL, None, {}), True, output)
    return StepOutcomes(name, task, frozenset(after), [item.zarr_url for item in SNAPSHOT], [outcome])


def replayed(*steps: StepOutcomes) -> dict[str, Item]:
    items = replay(SNAPSHOT, dict(enumerate(steps)), zarr_dir=FOLDER)
    return {item.zarr_url: item for item in items}


def sets(**attributes: object) -> list[ItemUpdate]:
    return [ItemUpdate.model_validate({"zarr_url": URL, "attributes": attributes})]


def test_what_two_branches_say_of_an_item_comes_together() -> None:
    found = replayed(step("focus", updates=sets(sharp=0.5)), step("count", updates=sets(cells=3, well=None)))

    assert found[URL].attributes == {"sharp": 0.5, "cells": 3}


def test_an_item_that_a_branch_derives_has_nothing_of_what_the_other_branch_found() -> None:
    derived = [ItemUpdate(zarr_url=f"{URL}-small", origin=URL)]

    found = replayed(step("focus", updates=sets(sharp=0.5)), step("shrink", updates=derived))

    assert found[f"{URL}-small"].attributes == {"well": "A1"}
    assert found[URL].attributes == {"well": "A1", "sharp": 0.5}


def test_a_join_sees_both_branches() -> None:
    derived = [ItemUpdate(zarr_url=f"{URL}-joined", origin=URL)]

    found = replayed(
        step("focus", updates=sets(sharp=0.5)),
        step("count", updates=sets(cells=3)),
        step("join", after=[0, 1], updates=derived),
    )

    assert found[f"{URL}-joined"].attributes == {"well": "A1", "sharp": 0.5, "cells": 3}


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (step("one", updates=sets(n=1)), step("other", updates=sets(n=2)), "attribute 'n'"),
        (step("one", updates=sets(n=1)), step("other", updates=sets(n=True)), "attribute 'n'"),
        (step("one", updates=sets(well="B")), step("other", updates=sets(well=None)), "attribute 'well'"),
        (step("one", types={"flat": True}), step("other", types={"flat": False}), "type 'flat'"),
        (step("one", removals=[URL]), step("other", updates=sets(n=1)), "one removed /data/a"),
        (step("one", updates=sets(n=1)), step("other", removals=[URL]), "one removed /data/a"),
        (step("one", removals=[URL]), step("other", removals=[URL]), "one removed /data/a"),
        (
            step("one", updates=[ItemUpdate(zarr_url="/data/new", attributes={"n": 1})]),
            step("other", updates=[ItemUpdate(zarr_url="/data/new")]),
            "both created /data/new",
        ),
    ],
    ids=["values", "kinds", "lost", "types", "removed", "removes", "both remove", "created"],
)
def test_branches_that_contradict_each_other_cannot_be_merged(
    one: StepOutcomes, other: StepOutcomes, reason: str
) -> None:
    with pytest.raises(MergeFailed, match="'one' and 'other', neither of which needs the other") as caught:
        replayed(one, other)
    assert reason in str(caught.value)


def test_branches_that_say_the_same_agree() -> None:
    found = replayed(step("one", updates=sets(n=1)), step("other", updates=sets(n=1)))

    assert found[URL].attributes == {"well": "A1", "n": 1}


def test_a_step_that_needs_the_other_may_change_what_that_one_said() -> None:
    found = replayed(step("one", updates=sets(n=1)), step("other", after=[0], updates=sets(n=2)))

    assert found[URL].attributes == {"well": "A1", "n": 2}


CHANGES = st.dictionaries(st.sampled_from([f"{FOLDER}/{name}" for name in "abcd"]), st.integers(0, 9))


@given(mine=CHANGES, theirs=CHANGES, joined=CHANGES)
def test_branches_and_their_join_come_to_the_same_whichever_branch_is_named_first(
    mine: dict[str, int], theirs: dict[str, int], joined: dict[str, int]
) -> None:
    def branch(name: str, values: dict[str, int], after: Sequence[int] = ()) -> StepOutcomes:
        updates = [ItemUpdate(zarr_url=url, attributes={name: value}) for url, value in values.items()]
        return step(name, after, updates)

    def content(*steps: StepOutcomes) -> dict[str, Item] | str:
        try:
            return replayed(*steps)
        except MergeFailed:
            return "contradiction"

    join = branch("joined", joined, after=[0, 1])
    one = content(branch("mine", mine), branch("theirs", theirs), join)
    other = content(branch("theirs", theirs), branch("mine", mine), join)

    assert one == other

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from treadle.model.dataset import Item
from treadle.model.merging import Outcome
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.replay import Difference, StepOutcomes, difference, replay
from treadle.model.task import Part, Task, TaskPart, TaskType
from treadle.model.units import Unit

FOLDER = "/data"
URLS = [f"{FOLDER}/{name}" for name in "abcdef"]
ATTRIBUTES = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from([1, 1.0, True, "1"]), max_size=2)


@st.composite
def items(draw: st.DrawFn) -> tuple[Item, ...]:
    """Some items with different URLs, in any order."""
    urls = draw(st.lists(st.sampled_from(URLS), unique=True))
    return tuple(Item(zarr_url=url, attributes=draw(ATTRIBUTES)) for url in urls)


def apply(present: tuple[Item, ...], change: Difference) -> list[Item]:
    """What the ledger does with a difference: removed ones go, known ones change in place, others follow."""
    kept = {item.zarr_url: item for item in present if item.zarr_url not in change.removed}
    return list((kept | {item.zarr_url: item for item in change.changed}).values())


def shown(found: list[Item] | tuple[Item, ...]) -> list[str]:
    """Items as text, in which 1, 1.0 and true are three values; the order of attributes has no meaning."""
    return [json.dumps(item.model_dump(mode="json"), sort_keys=True) for item in found]


@given(present=items(), wanted=items())
def test_the_difference_turns_one_list_into_the_other_in_content_and_order(
    present: tuple[Item, ...], wanted: tuple[Item, ...]
) -> None:
    assert shown(apply(present, difference(present, wanted))) == shown(wanted)


@given(present=items())
def test_there_is_no_difference_between_equals(present: tuple[Item, ...]) -> None:
    assert difference(present, present) == Difference((), ())


@given(present=items(), wanted=items(), others=items())
def test_what_others_did_to_items_that_need_no_change_stays(
    present: tuple[Item, ...], wanted: tuple[Item, ...], others: tuple[Item, ...]
) -> None:
    change = difference(present, wanted)
    touched = {item.zarr_url for item in (*present, *wanted)}
    foreign = tuple(item for item in others if item.zarr_url not in touched)
    after = apply((*present, *foreign), change)
    assert [item for item in after if item.zarr_url not in touched] == list(foreign)
    assert {item.zarr_url for item in wanted} == {item.zarr_url for item in after if item not in foreign}


def step(position: int, done: dict[int, bool]) -> StepOutcomes:
    """A step that derives an item from each of the first; only units that are done count."""
    task = Task(
        package="p",
        version="1",
        name="derive",
        type=TaskType.PARALLEL,
        parallel=TaskPart(executable="d.py"),
        output_types={"derived": True},
    )
    outcomes = [
        Outcome(
            Unit(index, Part.PARALLEL, url, {}),
            done[index],
            UnitOutput(image_list_updates=(ItemUpdate(zarr_url=f"{url}-{len(done)}", origin=url),)),
        )
        for index, url in enumerate(URLS[: len(done)])
    ]
    return StepOutcomes(f"step {position}", task, frozenset(range(position)), URLS[: len(done)], outcomes)


@given(first=st.lists(st.booleans(), min_size=1, max_size=4), second=st.lists(st.booleans(), max_size=6))
def test_merging_late_units_by_replay_gives_what_merging_all_at_once_would_have(
    first: list[bool], second: list[bool]
) -> None:
    snapshot = tuple(Item(zarr_url=url) for url in URLS)
    steps = [done for done in (first, second) if done]
    partly = {place: step(place, dict(enumerate(done))) for place, done in enumerate(steps)}
    whole = {place: step(place, dict.fromkeys(range(len(done)), True)) for place, done in enumerate(steps)}
    undisturbed = replay(snapshot, whole, zarr_dir=FOLDER)

    present = replay(snapshot, partly, zarr_dir=FOLDER)
    for number in range(len(partly)):
        # the steps are completed one after another, as resumed runs complete them
        completed = {place: whole[place] for place in range(number)}
        before = replay(snapshot, partly | completed, zarr_dir=FOLDER)
        after = replay(snapshot, partly | completed | {number: whole[number]}, zarr_dir=FOLDER)
        assert shown(before) == shown(present)
        present = tuple(apply(present, difference(before, after)))

    assert shown(present) == shown(undisturbed)

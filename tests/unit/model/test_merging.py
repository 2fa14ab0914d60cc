"""Merging a step's outputs into its dataset, against a reference that is written as the contract reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import MergeFailed
from treadle.model.constrained import Scalar
from treadle.model.dataset import Item
from treadle.model.merging import Merged, Outcome, merge
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.task import Part, Task, TaskType
from treadle.model.units import Unit
from treadle.testing import strategies

FOLDER = strategies.FOLDER
NO_OUTPUT = UnitOutput()


def a_task(kind: TaskType = TaskType.PARALLEL, output_types: dict[str, bool] | None = None) -> Task:
    parts = {str(part): {"executable": "run.py"} for part in kind.parts}
    return Task.model_validate(
        {
            "package": "p",
            "version": "1",
            "name": "T",
            "type": kind,
            "output_types": output_types or {},
            **parts,
        }
    )


def an_outcome(index: int, url: str | None, *, done: bool = True, output: UnitOutput = NO_OUTPUT) -> Outcome:
    part = Part.NON_PARALLEL if url is None else Part.PARALLEL
    return Outcome(Unit(index, part, url, {}), done, output)


def updating(*updates: dict[str, Any], removing: tuple[str, ...] = ()) -> UnitOutput:
    return UnitOutput(
        image_list_updates=tuple(ItemUpdate.model_validate(update) for update in updates),
        image_list_removals=removing,
    )


@dataclass
class Step:
    """One step's end, in any shape that a run can bring about."""

    items: list[Item]
    task: Task
    inputs: list[str]
    outcomes: list[Outcome]
    by_url: dict[str, Item] = field(init=False)

    def __post_init__(self) -> None:
        self.by_url = {item.zarr_url: item for item in self.items}

    def merged(self) -> Merged:
        return merge(self.items, task=self.task, zarr_dir=FOLDER, inputs=self.inputs, outcomes=self.outcomes)


@st.composite
def ended_steps(draw: st.DrawFn, outputs: st.SearchStrategy[UnitOutput] = strategies.unit_outputs()) -> Step:  # noqa: B008  strategies are values
    kind = draw(st.sampled_from(TaskType))
    items = draw(strategies.item_lists())
    urls = [item.zarr_url for item in items]
    inputs = [] if kind.is_converter or not urls else draw(st.lists(st.sampled_from(urls), unique=True))
    if kind is TaskType.PARALLEL:
        targets: list[str | None] = list(inputs)
    elif kind.is_compound:
        targets = list(draw(st.lists(strategies.item_urls(), max_size=4)))
    else:
        targets = [None]
    outcomes = [
        an_outcome(index, url, done=draw(st.booleans()), output=draw(outputs))
        for index, url in enumerate(targets)
    ]
    if kind.is_compound and draw(st.booleans()):
        outcomes.append(an_outcome(len(outcomes), None))
    task = a_task(kind, draw(strategies.types()))
    return Step(items, task, inputs, draw(st.permutations(outcomes)))


class ContradictionError(Exception):
    """The reference found outputs that cannot be merged."""


def exact(value: Scalar | None) -> tuple[str, Scalar | None]:
    return type(value).__name__, value


def same(one: ItemUpdate, other: ItemUpdate) -> bool:
    if one.zarr_url != other.zarr_url or one.origin != other.origin or one.types != other.types:
        return False
    return {k: exact(v) for k, v in one.attributes.items()} == {
        k: exact(v) for k, v in other.attributes.items()
    }


def reference(step: Step) -> list[Item]:
    """Merge by the letter of the contract's rules 1 to 5, in quadratic time."""
    updates: list[ItemUpdate] = []
    removals: list[str] = []
    for outcome in sorted(step.outcomes, key=lambda outcome: outcome.unit.index):
        if outcome.done:
            for update in outcome.output.image_list_updates:
                if not any(same(update, earlier) for earlier in updates):
                    updates.append(update)
            removals += [url for url in outcome.output.image_list_removals if url not in removals]
    if not updates and not removals:
        updates = [ItemUpdate(zarr_url=url) for url in step.inputs if counts_as_processed(step, url)]
    urls = [update.zarr_url for update in updates] + removals
    if any(urls.count(url) > 1 for url in urls):
        raise ContradictionError
    items = list(step.items)
    for update in updates:
        apply(update, items, step.task.output_types)
    for url in removals:
        if url not in [item.zarr_url for item in items]:
            raise ContradictionError
        items = [item for item in items if item.zarr_url != url]
    return items


def counts_as_processed(step: Step, url: str) -> bool:
    failed = [outcome for outcome in step.outcomes if not outcome.done]
    good = [outcome for outcome in step.outcomes if outcome.done]
    if step.task.type is TaskType.PARALLEL or failed:
        return any(o.unit.zarr_url == url for o in good) and not any(o.unit.zarr_url == url for o in failed)
    return True


def apply(update: ItemUpdate, items: list[Item], output_types: dict[str, bool]) -> None:
    position = next((i for i, item in enumerate(items) if item.zarr_url == update.zarr_url), None)
    parent = next((item for item in items if item.zarr_url == update.origin), None)
    origin = update.origin
    if position is not None and (update.origin is None or update.origin == update.zarr_url):
        parent = items[position]
        origin = parent.origin
    if position is None and not update.zarr_url.startswith(FOLDER + "/"):
        raise ContradictionError
    attributes: dict[str, Any] = dict(parent.attributes) if parent is not None else {}
    attributes.update(update.attributes)
    types = dict(parent.types) if parent is not None else {}
    types.update(update.types)
    types.update(output_types)
    item = Item(
        zarr_url=update.zarr_url,
        origin=origin,
        attributes={key: value for key, value in attributes.items() if value is not None},
        types=types,
    )
    if position is None:
        items.append(item)
    else:
        items[position] = item


@given(ended_steps())
def test_merging_is_what_the_contract_says_rule_by_rule(step: Step) -> None:
    try:
        expected = reference(step)
    except ContradictionError:
        with pytest.raises(MergeFailed):
            step.merged()
        return
    merged = step.merged()
    assert repr(list(merged.items)) == repr(expected)


@given(ended_steps())
def test_the_ledger_is_told_exactly_what_changed(step: Step) -> None:
    """Old items, with the changed ones put in and the removed ones taken out, are the new items."""
    try:
        merged = step.merged()
    except MergeFailed:
        return
    rebuilt = dict(step.by_url)
    rebuilt.update({item.zarr_url: item for item in merged.changed})
    for url in merged.removed:
        del rebuilt[url]
    assert repr(list(rebuilt.values())) == repr(list(merged.items))
    assert not [item for item in merged.changed if repr(step.by_url.get(item.zarr_url)) == repr(item)]


@given(ended_steps(outputs=st.just(NO_OUTPUT)))
def test_items_of_failed_units_are_never_marked_as_processed(step: Step) -> None:
    task = step.task.model_copy(update={"output_types": {"new type": True}})
    failed = {outcome.unit.zarr_url for outcome in step.outcomes if not outcome.done}
    merged = merge(step.items, task=task, zarr_dir=FOLDER, inputs=step.inputs, outcomes=step.outcomes)
    marked = {item.zarr_url for item in merged.items if "new type" in item.types}
    assert not marked & failed
    assert marked <= set(step.inputs)
    if step.task.type is TaskType.PARALLEL:
        assert marked == set(step.inputs) - failed


def result(step: Step) -> str:
    try:
        return repr(step.merged())
    except MergeFailed as error:
        return str(error)


@given(ended_steps().filter(lambda step: len({o.unit.index for o in step.outcomes}) == len(step.outcomes)))
def test_the_order_in_which_units_end_does_not_matter(step: Step) -> None:
    """What is merged follows the units' indexes, not the order in which they are told."""
    assert result(Step(step.items, step.task, step.inputs, step.outcomes[::-1])) == result(step)


ITEMS = [
    Item(zarr_url=f"{FOLDER}/a", origin=f"{FOLDER}/raw", attributes={"well": "A"}, types={"3D": True}),
    Item(zarr_url=f"{FOLDER}/b", attributes={"well": "B", "plate": 1}),
]
A, B = (item.zarr_url for item in ITEMS)


def merged_items(
    *outcomes: Outcome, task: Task | None = None, inputs: tuple[str, ...] = (A, B)
) -> dict[str, Item]:
    merged = merge(ITEMS, task=task or a_task(), zarr_dir=FOLDER, inputs=inputs, outcomes=outcomes)
    return {item.zarr_url: item for item in merged.items}


def refusal(*outcomes: Outcome) -> str:
    with pytest.raises(MergeFailed) as caught:
        merged_items(*outcomes)
    return str(caught.value)


def test_silent_units_change_nothing_once_one_reports() -> None:
    items = merged_items(
        an_outcome(0, A, output=updating({"zarr_url": A})),
        an_outcome(1, B),
        task=a_task(output_types={"done": True}),
    )
    assert items[A].types == {"3D": True, "done": True}
    assert items[B] == ITEMS[1]


def test_what_a_failed_unit_returned_is_not_merged() -> None:
    items = merged_items(
        an_outcome(0, A, output=updating({"zarr_url": A, "types": {"ok": True}})),
        an_outcome(1, B, done=False, output=updating({"zarr_url": B, "types": {"ok": True}}, removing=(A,))),
    )
    assert items[A].types == {"3D": True, "ok": True}
    assert items[B] == ITEMS[1]


def test_an_update_without_origin_keeps_the_stored_one() -> None:
    item = merged_items(
        an_outcome(0, A, output=updating({"zarr_url": A, "attributes": {"well": None, "z": 1}}))
    )[A]
    assert item == Item(zarr_url=A, origin=f"{FOLDER}/raw", attributes={"z": 1}, types={"3D": True})


def test_a_new_origin_rebuilds_an_item_on_that_origin() -> None:
    item = merged_items(
        an_outcome(0, B, output=updating({"zarr_url": B, "origin": A, "types": {"x": True}}))
    )[B]
    assert item == Item(zarr_url=B, origin=A, attributes={"well": "A"}, types={"3D": True, "x": True})


def test_a_new_item_inherits_from_its_origin_even_if_that_is_new_or_removed_in_the_same_step() -> None:
    new, newer = f"{FOLDER}/new", f"{FOLDER}/newer"
    items = merged_items(
        an_outcome(0, A, output=updating({"zarr_url": new, "origin": A}, removing=(A,))),
        an_outcome(1, B, output=updating({"zarr_url": newer, "origin": new, "attributes": {"z": 1}})),
    )
    assert list(items) == [B, new, newer]
    assert items[newer] == Item(
        zarr_url=newer, origin=new, attributes={"well": "A", "z": 1}, types={"3D": True}
    )


def test_an_origin_that_is_not_in_the_dataset_is_kept_by_name() -> None:
    item = merged_items(
        an_outcome(0, A, output=updating({"zarr_url": f"{FOLDER}/n", "origin": "/elsewhere/x"}))
    )
    assert item[f"{FOLDER}/n"] == Item(zarr_url=f"{FOLDER}/n", origin="/elsewhere/x")


def test_output_types_have_the_last_word() -> None:
    output = updating({"zarr_url": A, "types": {"3D": True}})
    items = merged_items(an_outcome(0, A, output=output), task=a_task(output_types={"3D": False}))
    assert items[A].types == {"3D": False}


def test_exact_repeats_count_once_and_removals_are_united() -> None:
    output = updating({"zarr_url": A, "attributes": {"z": 1}}, removing=(B,))
    assert list(merged_items(an_outcome(0, A, output=output), an_outcome(1, B, output=output))) == [A]


def test_updates_that_differ_name_both_units_and_the_url() -> None:
    text = refusal(
        an_outcome(3, A, output=updating({"zarr_url": A, "attributes": {"z": 1}})),
        an_outcome(7, B, output=updating({"zarr_url": A, "attributes": {"z": True}})),
    )
    assert f"units 3 and 7 reported {A} differently" in text
    assert "'T'" in text


def test_a_url_both_updated_and_removed_is_refused() -> None:
    text = refusal(
        an_outcome(0, A, output=updating({"zarr_url": A})), an_outcome(1, B, output=updating(removing=(A,)))
    )
    assert f"unit 0 reported {A}, which unit 1 removed" in text


@pytest.mark.parametrize("url", ["/data/zarr2/x", "/data/zarr", "/elsewhere/x", "s3://data/zarr/x"])
def test_a_new_item_outside_the_datasets_folder_is_refused(url: str) -> None:
    text = refusal(an_outcome(5, A, output=updating({"zarr_url": url})))
    assert f"unit 5 reported {url}, which is not inside {FOLDER}" in text


def test_a_removal_of_what_is_not_there_is_refused() -> None:
    text = refusal(an_outcome(5, A, output=updating(removing=(f"{FOLDER}/zz",))))
    assert f"unit 5 removed {FOLDER}/zz, which is not in the dataset" in text


def test_all_contradictions_are_told_at_once() -> None:
    text = refusal(
        an_outcome(0, A, output=updating({"zarr_url": "/x/1"}, {"zarr_url": "/x/2"}, removing=("/x/3",))),
    )
    assert text.count("\n") == 3


def test_a_compound_step_without_failures_marks_all_its_inputs() -> None:
    task = a_task(TaskType.COMPOUND, {"done": True})
    assert all("done" in item.types for item in merged_items(an_outcome(1, A), task=task).values())
    assert all("done" in item.types for item in merged_items(task=task).values()), "init may ask for no units"


def test_a_compound_step_with_failures_marks_only_items_whose_every_unit_is_done() -> None:
    task = a_task(TaskType.COMPOUND, {"done": True})
    items = merged_items(an_outcome(1, A), an_outcome(2, B), an_outcome(3, B, done=False), task=task)
    assert [url for url, item in items.items() if "done" in item.types] == [A]


@pytest.mark.parametrize("kind", [TaskType.COMPOUND, TaskType.NON_PARALLEL])
def test_a_failed_init_or_single_call_merges_nothing(kind: TaskType) -> None:
    failed = an_outcome(0, None, done=False, output=updating({"zarr_url": A, "types": {"x": True}}))
    merged = merge(
        ITEMS, task=a_task(kind, {"done": True}), zarr_dir=FOLDER, inputs=(A, B), outcomes=(failed,)
    )
    assert merged == Merged(items=tuple(ITEMS), changed=(), removed=())


def test_an_attribute_that_turns_from_one_to_true_has_changed() -> None:
    outcome = an_outcome(0, B, output=updating({"zarr_url": B, "attributes": {"plate": True}}))
    merged = merge(ITEMS, task=a_task(), zarr_dir=FOLDER, inputs=(A, B), outcomes=(outcome,))
    assert [item.attributes["plate"] for item in merged.changed] == [True]

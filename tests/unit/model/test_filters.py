"""Type and attribute filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import WorkflowInvalid
from treadle.model.constrained import Scalar
from treadle.model.dataset import Item
from treadle.model.filters import (
    attribute_filters_from_json,
    next_type_filters,
    nothing_selected,
    select,
    step_type_filters,
    type_filters_from_json,
)
from treadle.testing import strategies


def _is(one: Scalar, other: Scalar) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def passes(item: Item, type_filters: dict[str, bool], attribute_filters: dict[str, list[Scalar]]) -> bool:
    """The rules of filtering, one after the other, as they are written."""
    for name, wanted in type_filters.items():
        actual = item.types.get(name, False)
        if actual != wanted:
            return False
    for key, values in attribute_filters.items():
        if key not in item.attributes:
            return False
        if not any(_is(item.attributes[key], value) for value in values):
            return False
    return True


value_lists = st.one_of(
    st.lists(st.integers(0, 2), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=1),
    st.lists(st.sampled_from(["1", "", "A01"]), min_size=1),
)
small_items = st.builds(
    Item,
    zarr_url=strategies.item_urls(),
    attributes=st.dictionaries(
        st.sampled_from(["plate", "well"]), st.sampled_from([True, False, 0, 1, 1.0, "1", ""]), max_size=2
    ),
    types=strategies.types(),
)


@given(
    st.lists(small_items, max_size=8),
    strategies.types(),
    st.dictionaries(st.sampled_from(["plate", "well"]), value_lists, max_size=2),
)
def test_selection_is_what_the_rules_say_item_by_item(
    items: list[Item], type_filters: dict[str, bool], attribute_filters: dict[str, list[Scalar]]
) -> None:
    expected = [item for item in items if passes(item, type_filters, attribute_filters)]
    assert select(items, [type_filters], attribute_filters) == expected


def test_a_type_that_is_lacking_counts_as_false() -> None:
    item = Item(zarr_url="/data/a")
    assert select([item], [{"3D": False}], {}) == [item]
    assert select([item], [{"3D": True}], {}) == []


def test_true_is_not_one() -> None:
    item = Item(zarr_url="/data/a", attributes={"well": True})
    assert select([item], [{}], {"well": [1]}) == []
    assert select([item], [{}], {"well": [True]}) == [item]


@pytest.mark.parametrize(
    ("filters", "problem"),
    [
        ({"well": []}, "lists no value for 'well'"),
        ({"well": [1, True]}, "mixes types for 'well': bool, int"),
        ({"well": [1, 1.0]}, "mixes types for 'well': float, int"),
        ({"well": "A01"}, "well: must be a list, found a string"),
        ({"well": [None]}, r"well\[0\]: must be a string, a number, true or false"),
        ({"": [1]}, "has an empty key"),
        ([], "must be an object, found a list"),
    ],
)
def test_bad_attribute_filters_are_refused(filters: object, problem: str) -> None:
    with pytest.raises(WorkflowInvalid, match=problem):
        attribute_filters_from_json(filters)


def test_good_attribute_filters_keep_their_values() -> None:
    filters = attribute_filters_from_json({" well ": [True], "plate": [1, 2], "z": [1.0]})
    assert repr(filters) == "{'well': [True], 'plate': [1, 2], 'z': [1.0]}"


def test_bad_type_filters_are_refused() -> None:
    with pytest.raises(WorkflowInvalid, match="3D: must be true or false, found a string"):
        type_filters_from_json({"3D": "yes"})


def test_the_filters_of_a_step_overlay_what_it_inherits() -> None:
    inherited = next_type_filters({"3D": True, "corrected": False}, {"corrected": True})
    assert step_type_filters(inherited, {"3D": False}, {"projected": True}) == {
        "3D": False,
        "corrected": True,
        "projected": True,
    }


def test_task_and_step_may_agree_but_not_disagree() -> None:
    assert step_type_filters({}, {"3D": True}, {"3D": True}) == {"3D": True}
    with pytest.raises(WorkflowInvalid, match="the task wants 3D to be true, the step's type_filters false"):
        step_type_filters({}, {"3D": True}, {"3D": False})


def test_an_empty_selection_names_the_filters_that_made_it() -> None:
    text = str(nothing_selected("Measure", 12, [{"3D": True}], {"well": ["A01", "B02"]}))
    assert "'Measure' cannot run for an empty image list" in text
    assert '3D is true and well is in ["A01", "B02"]' in text
    assert "12 items" in text


def test_an_empty_dataset_is_called_that() -> None:
    assert "the dataset has no items" in str(nothing_selected("Measure", 0, [{}], {}))

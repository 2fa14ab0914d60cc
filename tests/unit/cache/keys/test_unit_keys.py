"""Keys of units: named parts, of which every one counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from treadle.cache.keys.units import Part, argument_parts, unit_key
from treadle.cache.records import Inline

json_values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text('ab.["', max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('ab.["', max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.text('ab.["', min_size=1, max_size=3), json_values, max_size=3)


def spelled(value: JsonValue) -> str:
    """A text that tells JSON values apart by their types too."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{spelled(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(spelled, value)) + "]"
    return f"{type(value).__name__} {value!r}"


@given(objects, objects)
def test_unequal_arguments_have_unequal_keys(one: dict[str, JsonValue], other: dict[str, JsonValue]) -> None:
    keys = unit_key(argument_parts(one)), unit_key(argument_parts(other))

    assert (keys[0] == keys[1]) == (spelled(one) == spelled(other))


def test_members_of_objects_are_parts_of_their_own() -> None:
    parts = argument_parts({"sigma": 1, "model": {"size": 2, "of kind": "x", "empty": {}}})

    assert {name: part.text for name, part in parts.items()} == {
        "argument sigma": "1",
        "argument model.size": "2",
        'argument model["of kind"]': "x",
        "argument model.empty": "{}",
    }


def test_the_order_of_parts_does_not_count_their_names_do() -> None:
    one, two = Part.of(1), Part.of(2)

    assert unit_key({"a": one, "b": two}) == unit_key({"b": two, "a": one})
    assert unit_key({"a": one, "b": two}) != unit_key({"a": two, "b": one})


def test_keys_stay_what_they_are() -> None:
    parts = {"environment": Part.of("e"), **argument_parts({"sigma": 1.5, "names": ["a"]})}

    assert unit_key(parts) == "c2ed6ce3ace8d648f79757d5421f8ef3157c19295c88db6b9d904a529aabcdb6"


@pytest.mark.parametrize(("text", "kept"), [("short", True), ("x" * 257, False), ("ü" * 129, False)])
def test_long_texts_are_not_kept(text: str, kept: bool) -> None:
    argument = Part.of(text).argument("name")

    assert argument.value == (Inline(text) if kept else None)

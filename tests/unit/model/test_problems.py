"""How problems are spelled."""

from __future__ import annotations

import pytest

from treadle.model.problems import found, listed, place, problem


@pytest.mark.parametrize(
    ("path", "spelled"),
    [
        ([], ""),
        (["task_list", 2, "type"], "task_list[2].type"),
        ([0], "[0]"),
        (["types", "3D"], "types.3D"),
        (["args", "a b", "x.y"], 'args["a b"]["x.y"]'),
    ],
)
def test_a_place_is_spelled_as_one_would_write_it_in_code(path: list[str | int], spelled: str) -> None:
    assert place(path) == spelled


def test_a_place_may_lie_within_another() -> None:
    assert problem(["a", 1], "is bad", 'step "S" args_parallel') == 'step "S" args_parallel.a[1]: is bad'
    assert problem([], "is bad") == "is bad"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "true or false"),
        (1, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        (" ", "an empty string"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_kinds_of_values_have_the_names_that_people_use(value: object, name: str) -> None:
    assert found(value) == name


def test_each_problem_has_a_line_of_its_own() -> None:
    assert listed("Two things", ["one", "two"]) == "Two things:\n  - one\n  - two"

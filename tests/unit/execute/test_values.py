"""Plain functions over values, as the units of one step."""

from __future__ import annotations

import pytest

from treadle.errors import CommandInvalid
from treadle.execute.values import call, hand_out
from treadle.model.outputs import parse_init_output, parse_unit_output


def test_each_call_is_a_unit_with_arguments_of_its_own() -> None:
    handed = parse_init_output(hand_out([{"x": 1}, {"x": 1}], "/d"))
    assert [(item.zarr_url, item.init_args) for item in handed.parallelization_list] == [
        ("/d/0", {"x": 1}),
        ("/d/1", {"x": 1}),
    ]


def test_what_the_function_returns_is_the_units_value() -> None:
    output = call("builtins:dict", {"a": 1}, {"a": 2, "b": 3})
    assert parse_unit_output(output).value == {"a": 2, "b": 3}


def test_a_function_that_there_is_not_is_told_apart() -> None:
    with pytest.raises(CommandInvalid):
        call("math:nothing", {}, {})

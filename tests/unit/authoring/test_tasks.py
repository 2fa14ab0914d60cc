"""Tasks as objects that are called with their arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from treadle.authoring.tasks import TaskHandle
from treadle.errors import ArgumentsInvalid, UsageError
from treadle.model.task import Part, TaskType

Make = Callable[..., TaskHandle]


def test_a_tasks_signature_is_that_of_its_schema(make_handle: Make) -> None:
    signature = inspect.signature(make_handle())
    assert list(signature.parameters) == ["sigma", "mode", "channels", "mask", "more"]
    assert {p.kind for p in signature.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    types = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    assert types == {
        "sigma": float,
        "mode": Literal["reflect", "wrap"],
        "channels": list[int],
        "mask": str | None,
        "more": dict[str, bool],
    }
    assert signature.parameters["sigma"].default is inspect.Parameter.empty
    assert signature.parameters["mode"].default == "reflect"


def test_a_tasks_docstring_describes_its_arguments(make_handle: Make) -> None:
    doc = inspect.getdoc(make_handle(docs_info="Blurs images."))
    assert doc is not None
    assert doc.startswith("Blurs images.")
    assert "sigma: Width of the kernel. (at least 0)" in doc
    assert "zarr_url" not in doc


def test_a_task_without_schema_takes_anything(make_handle: Make) -> None:
    handle = make_handle(schema=None)
    assert str(inspect.signature(handle)) == "(**arguments)"
    assert handle(anything=[1]).arguments == {Part.PARALLEL: {"anything": [1]}}


def test_arguments_that_do_not_fit_are_all_named_at_once_with_their_rules(make_handle: Make) -> None:
    with pytest.raises(ArgumentsInvalid) as raised:
        make_handle()(sigma=-1, mode="mirror")
    text = str(raised.value)
    assert "'Blur'" in text
    assert "sigma: -1 is less than the minimum of 0 (rule: minimum)" in text
    assert "mode: 'mirror' is not one of ['reflect', 'wrap'] (rule: enum)" in text


@pytest.mark.parametrize("arguments", [{}, {"sigma": 1, "sigmas": 2}, {"sigma": 1, "zarr_url": "/d/a"}])
def test_missing_unknown_and_the_engines_own_arguments_are_refused(
    make_handle: Make, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ArgumentsInvalid):
        make_handle()(**arguments)


def test_arguments_may_be_what_becomes_json(make_handle: Make) -> None:
    call = make_handle()(sigma=1, mask=Path("/d/mask"), channels=(1, 2))
    assert call.step("blur").args_parallel == {"sigma": 1, "mask": "/d/mask", "channels": [1, 2]}


def test_an_argument_that_is_no_json_is_refused(make_handle: Make) -> None:
    with pytest.raises(ArgumentsInvalid, match="no JSON"):
        make_handle(schema=None)(thing=object())


def test_an_argument_of_a_compound_task_goes_to_the_parts_that_take_it(make_handle: Make) -> None:
    handle = make_handle(kind=TaskType.COMPOUND)
    call = handle(sigma=2)
    assert call.arguments == {Part.NON_PARALLEL: {"sigma": 2}, Part.PARALLEL: {"sigma": 2}}


def test_submit_outside_of_a_flow_says_what_to_do(make_handle: Make) -> None:
    with pytest.raises(UsageError, match="Call map"):
        make_handle().submit(["/d/a"], sigma=1)

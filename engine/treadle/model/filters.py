"""Filters: which items a step works on (Fractal 1.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, TypeAdapter, ValidationError

from treadle.errors import NothingSelected, WorkflowInvalid
from treadle.model.constrained import Scalar, ScalarField, Types, trim_keys
from treadle.model.dataset import Item
from treadle.model.problems import listed, problems_of


def _one_exact_type(filters: dict[str, list[Scalar]]) -> dict[str, list[Scalar]]:
    for key, values in filters.items():
        if not values:
            raise ValueError(f"lists no value for {key!r}")
        kinds = sorted({type(value).__name__ for value in values})
        if len(kinds) > 1:
            raise ValueError(f"mixes types for {key!r}: {', '.join(kinds)}")
    return filters


AttributeFilters = Annotated[
    dict[str, list[ScalarField]], BeforeValidator(trim_keys), AfterValidator(_one_exact_type)
]

_ATTRIBUTE_FILTERS = TypeAdapter[dict[str, list[Scalar]]](AttributeFilters)
_TYPE_FILTERS = TypeAdapter[dict[str, bool]](Types)


def attribute_filters_from_json(data: object) -> dict[str, list[Scalar]]:
    """Read a run's attribute filters: for each key the values that an item may have.

    Raises:
        WorkflowInvalid: Names every problem with its place.
    """
    try:
        return _ATTRIBUTE_FILTERS.validate_python(data)
    except ValidationError as error:
        raise WorkflowInvalid(listed("The attribute filters are not valid", problems_of(error))) from error


def type_filters_from_json(data: object) -> dict[str, bool]:
    """Read a run's type filters.

    Raises:
        WorkflowInvalid: Names every problem with its place.
    """
    try:
        return _TYPE_FILTERS.validate_python(data)
    except ValidationError as error:
        raise WorkflowInvalid(listed("The type filters are not valid", problems_of(error))) from error


def select(
    items: Iterable[Item],
    type_filters: Sequence[Mapping[str, bool]],
    attribute_filters: Mapping[str, Sequence[Scalar]],
) -> list[Item]:
    """Return the items that pass all attribute filters and one of the type filters, in their order.

    A type that an item lacks counts as false; an attribute that it lacks matches nothing. Numbers compare by
    value, but true is not 1.
    """
    allowed = {key: {_exact(value) for value in values} for key, values in attribute_filters.items()}
    return [
        item
        for item in items
        if any(
            all(item.types.get(name, False) is wanted for name, wanted in types.items())
            for types in type_filters
        )
        and all(
            key in item.attributes and _exact(item.attributes[key]) in values
            for key, values in allowed.items()
        )
    ]


def _types_text(types: Mapping[str, bool]) -> str:
    return " and ".join(f"{name} is {json.dumps(wanted)}" for name, wanted in types.items())


def _exact(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value


def filter_conflicts(input_types: Mapping[str, bool], step_filters: Mapping[str, bool]) -> list[str]:
    """Name the types of which a task and a step want opposite things."""
    return [
        f"the task wants {name} to be {json.dumps(wanted)}, the step's type_filters {json.dumps(not wanted)}"
        for name, wanted in input_types.items()
        if step_filters.get(name, wanted) is not wanted
    ]


def step_type_filters(
    inherited: Mapping[str, bool], input_types: Mapping[str, bool], step_filters: Mapping[str, bool]
) -> dict[str, bool]:
    """Return the type filters of one step.

    Args:
        inherited: The run's type filters, overlaid by the output types of the steps already executed.
        input_types: What the step's task requires.
        step_filters: What the step itself requires.

    Raises:
        WorkflowInvalid: Task and step disagree on a type.
    """
    conflicts = filter_conflicts(input_types, step_filters)
    if conflicts:
        raise WorkflowInvalid(listed("The filters of the step contradict its task", conflicts))
    return {**inherited, **input_types, **step_filters}


def next_type_filters(current: Mapping[str, bool], output_types: Mapping[str, bool]) -> dict[str, bool]:
    """Return what later steps inherit once a task with these output types is done."""
    return {**current, **output_types}


def widest(type_filters: Iterable[dict[str, bool]]) -> tuple[dict[str, bool], ...]:
    """Return those filters of which none lets through only what another lets through."""
    distinct: list[dict[str, bool]] = []
    for types in type_filters:
        if not any(other.items() <= types.items() for other in distinct):
            distinct = [other for other in distinct if not types.items() <= other.items()] + [types]
    return tuple(distinct)


def nothing_selected(
    step: str,
    items: int,
    type_filters: Sequence[Mapping[str, bool]],
    attribute_filters: Mapping[str, Sequence[Scalar]],
) -> NothingSelected:
    """Return the error of a step whose filters leave nothing.

    Args:
        step: Name of the step.
        items: How many items the dataset has.
        type_filters: The step's type filters, of which one had to be passed.
        attribute_filters: The run's attribute filters.
    """
    summary = f"The task of step {step!r} cannot run for an empty image list:"
    if not items:
        return NothingSelected(
            f"{summary} the dataset has no items.",
            remedy="Add items to the dataset, or begin with a converter.",
        )
    filters = [
        *filter(None, [" or ".join(_types_text(types) for types in type_filters)]),
        *(f"{key} is in {json.dumps(list(values))}" for key, values in attribute_filters.items()),
    ]
    return NothingSelected(
        f"{summary} for none of the {items} items in the dataset {' and '.join(filters)}.",
        remedy="Change the filters, or run the step that makes such items first.",
    )

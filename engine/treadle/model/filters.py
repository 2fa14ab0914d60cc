"""Filters: which items a step works on (Fractal 1.6)."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from treadle.model.constrained import Scalar, ScalarField, trim_keys


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

"""Merging one step's outputs into its dataset (Fractal 1.5)."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.model.dataset import Item
from treadle.model.outputs import UnitOutput
from treadle.model.units import Unit


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a unit ended: `output` counts only if it is done."""

    unit: Unit
    done: bool
    output: UnitOutput


@dataclass(frozen=True, slots=True)
class Merged:
    """A dataset after a step.

    Attributes:
        items: All items, in their order of arrival.
        changed: The items that are new or not as they were.
        removed: URLs of the items that are gone.
    """

    items: tuple[Item, ...]
    changed: tuple[Item, ...]
    removed: tuple[str, ...]

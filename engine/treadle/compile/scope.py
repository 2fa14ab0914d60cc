"""Which steps of a run are worked on, where somebody asked for less than all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be done of a run.

    Attributes:
        positions: Places in the plan of the steps that may run; None for all. The others stay as they are.
        with_done: Those of them that are done in spite of units that failed run these units again.
    """

    positions: frozenset[int] | None = None
    with_done: bool = False

    def admits(self, position: int) -> bool:
        """Whether the step at that place may run."""
        return self.positions is None or position in self.positions


EVERYTHING = Scope()

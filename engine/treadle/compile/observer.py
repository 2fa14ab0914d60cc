"""What a run tells whoever watches it, while it runs."""

from __future__ import annotations

from treadle.model.states import StepState


class Observer:
    """Hears of a run's progress; every method does nothing until overridden.

    Methods are called from the threads of the steps, several at once where steps run side by side, and must
    return quickly. `position` is a step's place in the plan, from 0.
    """

    def step_started(self, position: int, name: str) -> None:
        """A step has begun."""

    def units_planned(self, position: int, count: int) -> None:
        """`count` more units of the step are known."""

    def units_ended(self, position: int, done: int, failed: int) -> None:
        """So many more units ended, well or badly."""

    def units_reused(self, position: int, count: int) -> None:
        """So many of the step's units, already told of as done, did not run but were reused."""

    def step_ended(self, position: int, state: StepState) -> None:
        """A step has reached its last state."""


class Observers(Observer):
    """Several observers that hear the same.

    Args:
        observers: They are told in this order.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers

    def step_started(self, position: int, name: str) -> None:
        """See `Observer`."""
        for observer in self._observers:
            observer.step_started(position, name)

    def units_planned(self, position: int, count: int) -> None:
        """See `Observer`."""
        for observer in self._observers:
            observer.units_planned(position, count)

    def units_ended(self, position: int, done: int, failed: int) -> None:
        """See `Observer`."""
        for observer in self._observers:
            observer.units_ended(position, done, failed)

    def units_reused(self, position: int, count: int) -> None:
        """See `Observer`."""
        for observer in self._observers:
            observer.units_reused(position, count)

    def step_ended(self, position: int, state: StepState) -> None:
        """See `Observer`."""
        for observer in self._observers:
            observer.step_ended(position, state)

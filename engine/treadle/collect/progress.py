"""What those who wait for a collection are told, and how they can end it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from treadle.errors import Cancelled


def _ignore(_line: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Progress:
    """The way back to whoever waits; calling it tells what is under way.

    Attributes:
        tell: Takes what is under way, in a few words.
        log: Takes each line that a program prints, without credentials.
        stop: Set when the work is to end.
    """

    tell: Callable[[str], None]
    log: Callable[[str], None] = _ignore
    stop: Event = field(default_factory=Event)

    def __call__(self, phase: str) -> None:
        """Tell what is under way.

        Raises:
            Cancelled: The work is to end.
        """
        self.check()
        self.tell(phase)

    def check(self) -> None:
        """Do nothing, unless the work is to end.

        Raises:
            Cancelled: It is.
        """
        if self.stop.is_set():
            raise Cancelled("The collection was cancelled.")

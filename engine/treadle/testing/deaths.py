"""Drivers and workers that die at a chosen event."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from treadle.errors import WorkerLost
from treadle.ledger import Ledger, Transaction


class DriverKilled(BaseException):
    """What SIGKILL is to a driver: nothing runs after it."""


@dataclass
class Fate:
    """Decides, event by event, who dies.

    Attributes:
        gaps: How many events pass before each death.
        victims: Who dies then, "driver" or "worker".
    """

    gaps: list[int] = field(default_factory=list)
    victims: list[str] = field(default_factory=list)
    dead: bool = False
    deaths: int = 0

    def pass_event(self, *, on_worker: bool = False) -> None:
        """Something happens; raise if it is the last for somebody."""
        if self.dead:
            raise DriverKilled
        if not self.gaps:
            return
        self.gaps[0] -= 1
        if self.gaps[0] >= 0:
            return
        self.gaps.pop(0)
        victim = self.victims.pop(0)
        self.deaths += 1
        if on_worker and victim == "worker":
            raise WorkerLost("Killed.")
        self.dead = True
        raise DriverKilled


class FragileLedger:
    """A ledger whose user may die before and after each commit."""

    def __init__(self, ledger: Ledger, fate: Fate) -> None:
        self._ledger = ledger
        self._fate = fate

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        with self._ledger.reading() as tx:
            yield tx

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        if self._fate.dead:
            raise DriverKilled
        with self._ledger.writing() as tx:
            yield tx
            self._fate.pass_event()
        self._fate.pass_event()

"""Which workers there are, what each is busy with, and which one gets the next batch."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Member:
    """A worker that has registered.

    Attributes:
        name: Its name, which no other worker ever has.
        address: Where it listens.
        slots: Batches it runs at once.
        ends_at: When its job ends, in seconds of the epoch; None for a worker that stays.
        tokens: Of the batches it runs.
        used: Whether it has run any.
        retiring: It gets no more batches.
    """

    name: str
    address: str
    slots: int
    ends_at: float | None = None
    tokens: set[int] = field(default_factory=set)
    used: bool = False
    retiring: bool = False

    @property
    def free(self) -> int:
        """Batches it could begin now."""
        return 0 if self.retiring else self.slots - len(self.tokens)

    def has_time_for(self, seconds: float, now: float) -> bool:
        """Whether work of that many seconds ends before its job does; on a new one nothing is refused."""
        return self.ends_at is None or not self.used or now + seconds <= self.ends_at


class Roster:
    """The workers of one pool."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}

    @property
    def members(self) -> list[Member]:
        """All of them, in order of arrival."""
        return list(self._members.values())

    def add(self, member: Member) -> None:
        """Take in a worker."""
        self._members[member.name] = member

    def remove(self, name: str) -> set[int]:
        """Strike out a worker; return the tokens of what it ran."""
        member = self._members.pop(name, None)
        return member.tokens if member else set()

    def get(self, name: str) -> Member | None:
        """Return the worker of that name."""
        return self._members.get(name)

    def seat(self, token: int, seconds: float, now: float) -> Member | None:
        """Give a batch that takes so long to the worker with the most free slots that has time for it."""
        fit = [
            member for member in self._members.values() if member.free and member.has_time_for(seconds, now)
        ]
        if not fit:
            return None
        chosen = max(fit, key=lambda member: member.free)
        chosen.tokens.add(token)
        chosen.used = True
        return chosen

    def leave(self, token: int) -> None:
        """Free the slot of a batch that has ended."""
        for member in self._members.values():
            member.tokens.discard(token)

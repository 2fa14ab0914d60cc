"""How many units travel together: guided self-scheduling from measured durations.

Source: Polychronopoulos and Kuck, "Guided self-scheduling", IEEE Transactions on Computers, 1987. Tiny units
share the cost of one message; long ones travel alone; the batches shrink towards the end of a step, so that
all slots end together, but not below what a message to a worker and back costs.
"""

from __future__ import annotations

SECONDS_PER_BATCH = 1.0
SECONDS_AT_LEAST = 0.03
SECONDS_BESIDE = 1e-4
WEIGHT_OF_LATEST = 0.3


class BatchSizer:
    """Chooses the size of the next batch.

    Attributes:
        longest: Seconds that the longest unit so far took; 0 while nothing is known.
    """

    def __init__(self) -> None:
        self.longest = 0.0
        self._seconds: float | None = None

    def measured(self, seconds: float) -> None:
        """Learn how long one unit took; its journal and its record cost a little beside."""
        self.longest = max(self.longest, seconds)
        seconds = max(seconds, SECONDS_BESIDE)
        known = self._seconds
        self._seconds = seconds if known is None else known + WEIGHT_OF_LATEST * (seconds - known)

    def next_size(self, remaining: int, slots: int) -> int:
        """Return how many of the `remaining` units to send next, if `slots` run at once; at least 1."""
        if self._seconds is None:
            return 1
        by_time = int(SECONDS_PER_BATCH / self._seconds)
        by_share = -(-remaining // (2 * slots))
        at_least = min(int(SECONDS_AT_LEAST / self._seconds), remaining)
        return max(1, at_least, min(by_time, by_share))

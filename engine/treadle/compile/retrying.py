"""Which of a step's units are tried again, when, and with what."""

from __future__ import annotations

import logging
import math
from collections import Counter
from dataclasses import dataclass, replace

from treadle.execute.batch import UnitCall
from treadle.model.policy import Retries
from treadle.model.records import UnitRecord
from treadle.model.states import Cause, UnitState

LOSSES_AT_MOST = 3
GROWTH = 1.5
FINAL_CAUSES = frozenset({Cause.COMMAND_INVALID, Cause.CANCELLED})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Again:
    """A unit's next attempt.

    Attributes:
        call: What to send.
        seconds: How long to wait before.
        alone: No other unit of the step may run beside it.
    """

    call: UnitCall
    seconds: float
    alone: bool = False


class Retrying:
    """Counts what happened to the units of one step while it is driven.

    A dead worker is not the unit's fault: it runs again at once and no attempt is used up. But a unit may be
    what kills its workers: after two of them it runs alone, so that no other is suspected, and the third loss
    is its end.

    Args:
        retries: The step's policy.
    """

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._attempts: Counter[int] = Counter()
        self._losses: Counter[int] = Counter()

    def after(self, call: UnitCall, record: UnitRecord, *, blameless: bool = False) -> Again | None:
        """Return the attempt that follows this end of a unit; None if it is the last word.

        Args:
            call: What was sent.
            record: How it ended.
            blameless: If its worker was lost, no unit can be why.
        """
        if record.state is UnitState.DONE or record.cause in FINAL_CAUSES:
            return None
        if record.cause is not Cause.WORKER_LOST:
            again = self._after_failure(call, record)
        else:
            again = Again(call, 0.0) if blameless else self._after_loss(call)
        if again is not None:
            attempt = again.call.attempt
            logger.info("unit_again unit=%d attempt=%d cause=%s", call.index, attempt, record.cause)
        return again

    def _after_loss(self, call: UnitCall) -> Again | None:
        self._losses[call.index] += 1
        losses = self._losses[call.index]
        return None if losses >= LOSSES_AT_MOST else Again(call, 0.0, alone=losses == LOSSES_AT_MOST - 1)

    def _after_failure(self, call: UnitCall, record: UnitRecord) -> Again | None:
        self._attempts[call.index] += 1
        made = self._attempts[call.index]
        if made >= self._retries.attempts:
            return None
        more = with_more(call, record.cause)
        backoff = self._retries.backoff_seconds * 2.0 ** (made - 1)
        return Again(replace(more, attempt=call.attempt + 1), backoff)


def with_more(call: UnitCall, cause: Cause | None, times: int = 1) -> UnitCall:
    """Return the call with half as much again, so many times, of what its last attempt had too little of."""
    growth = GROWTH**times
    if cause is Cause.OUT_OF_MEMORY and call.memory_mb is not None:
        return replace(call, memory_mb=math.ceil(call.memory_mb * growth))
    if cause is Cause.TIMEOUT and call.timeout_seconds is not None:
        return replace(call, timeout_seconds=call.timeout_seconds * growth)
    return call

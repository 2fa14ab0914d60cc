"""When the units of a run were at work."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from treadle.ledger.database import Transaction
from treadle.ledger.tables import units
from treadle.model.states import UnitState
from treadle.model.timeline import UnitSpan


def unit_spans(tx: Transaction, run_id: int) -> Iterator[UnitSpan]:
    """The units of a run that ran to their end and of which it is known when they began, step by step."""
    query = select(
        units.c.position, units.c.worker, units.c.state, units.c.started_at, units.c.seconds
    ).where(
        units.c.run_id == run_id,
        units.c.state != UnitState.PLANNED,
        units.c.cached.is_(False),
        units.c.started_at.is_not(None),
    )
    for position, worker, state, started_at, seconds in tx.execute(query):
        if started_at is not None:
            yield UnitSpan(position, worker or "unknown", state, started_at, seconds or 0.0)

"""Which steps' outputs a run has merged into its dataset, and without which units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from treadle.ledger.database import Transaction
from treadle.ledger.tables import steps


@dataclass(frozen=True, slots=True)
class MergeRecord:
    """A step that has been merged.

    Attributes:
        position: The step's place in the plan.
        without: Indexes of the units that were not done at that time.
    """

    position: int
    without: frozenset[int]


def list_merges(tx: Transaction, run_id: int) -> list[MergeRecord]:
    """Merged steps of a run by their place in the plan, in whatever order they were merged."""
    query = (
        select(steps.c.position, steps.c.merged_without)
        .where(steps.c.run_id == run_id, steps.c.merged_without.is_not(None))
        .order_by(steps.c.position)
    )
    return [MergeRecord(position, frozenset(without or ())) for position, without in tx.execute(query)]


def set_merged(tx: Transaction, run_id: int, position: int, without: Sequence[int]) -> None:
    """Note that a step is merged, for the first time or anew."""
    change = update(steps).where(steps.c.run_id == run_id, steps.c.position == position)
    tx.execute(change.values(merged_without=list(without)))


def set_unmerged(tx: Transaction, run_id: int, position: int) -> None:
    """Note that what a step had merged is in the dataset no longer."""
    change = update(steps).where(steps.c.run_id == run_id, steps.c.position == position)
    tx.execute(change.values(merged_without=None))

from __future__ import annotations

from typing import Any

from treadle.ledger import Ledger, merges
from treadle.ledger.merges import MergeRecord


def test_merges_are_listed_by_the_places_of_their_steps(ledger: Ledger, add_run: Any) -> None:
    run, other = add_run(), add_run()
    with ledger.writing() as tx:
        assert merges.list_merges(tx, run) == []
        merges.set_merged(tx, run, 1, [4, 2])
        merges.set_merged(tx, other, 0, [7])
        merges.set_merged(tx, run, 0, [])
        merges.set_merged(tx, run, 1, [2])
        assert merges.list_merges(tx, run) == [
            MergeRecord(0, frozenset()),
            MergeRecord(1, frozenset({2})),
        ]


def test_a_merge_that_was_taken_back_is_no_longer_listed(ledger: Ledger, add_run: Any) -> None:
    run = add_run()
    with ledger.writing() as tx:
        merges.set_merged(tx, run, 0, [])
        merges.set_merged(tx, run, 1, [])
        merges.set_unmerged(tx, run, 0)
        assert [merged.position for merged in merges.list_merges(tx, run)] == [1]
        merges.set_merged(tx, run, 0, [])
        assert [merged.position for merged in merges.list_merges(tx, run)] == [0, 1]

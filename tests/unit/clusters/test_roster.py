"""Which worker gets the next batch."""

from __future__ import annotations

from treadle.clusters.roster import Member, Roster

NOW = 1_000.0


def roster(*members: Member) -> Roster:
    made = Roster()
    for member in members:
        made.add(member)
    return made


def seated(workers: Roster, count: int, seconds: float = 0.0) -> list[str | None]:
    chosen = [workers.seat(token, seconds, NOW) for token in range(count)]
    return [member and member.name for member in chosen]


def test_batches_are_spread_over_the_workers_until_no_slot_is_free() -> None:
    workers = roster(Member("a", "tls://a", 1), Member("b", "tls://b", 2))
    assert seated(workers, 4) == ["b", "a", "b", None]


def test_a_slot_is_free_again_when_its_batch_has_ended() -> None:
    workers = roster(Member("a", "tls://a", 1))
    assert seated(workers, 1) == ["a"]
    assert workers.seat(7, 0.0, NOW) is None
    workers.leave(0)
    assert workers.seat(7, 0.0, NOW) is not None


def test_nothing_is_begun_on_a_worker_that_ends_before_it_would() -> None:
    workers = roster(Member("short", "tls://a", 4, ends_at=NOW + 10, used=True), Member("long", "tls://b", 1))
    assert seated(workers, 2, seconds=11.0) == ["long", None]
    assert workers.seat(9, 10.0, NOW) is workers.get("short")


def test_a_new_worker_takes_what_is_longer_than_its_job_once() -> None:
    """No worker would ever have more time for it."""
    workers = roster(Member("new", "tls://a", 2, ends_at=NOW + 10))
    assert seated(workers, 2, seconds=11.0) == ["new", None]


def test_a_retiring_worker_gets_nothing_more() -> None:
    member = Member("a", "tls://a", 2)
    workers = roster(member)
    assert seated(workers, 1) == ["a"]
    member.retiring = True
    assert workers.seat(1, 0.0, NOW) is None


def test_a_worker_that_is_struck_out_leaves_what_it_ran() -> None:
    workers = roster(Member("a", "tls://a", 2))
    seated(workers, 2)
    assert workers.remove("a") == {0, 1}
    assert workers.remove("a") == set()
    assert workers.seat(3, 0.0, NOW) is None

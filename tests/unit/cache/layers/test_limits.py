"""A limited cache keeps to its limits, and lets go of what was used longest ago."""

from __future__ import annotations

from typing import Any

import pytest

from treadle.cache.caches.limited import Limited
from treadle.errors import SettingsInvalid


def limited(bench: Any, **limits: Any) -> Limited:
    return Limited(bench.cache(), clock=bench.clock, **limits)


def held(cache: Limited) -> int:
    return len(cache.inner.values.held)


def test_least_recently_used_call_goes_first(bench: Any) -> None:
    cache = limited(bench, max_size=3)
    for name in "abc":
        bench.record(cache, name)
    cache.lookup(bench.key("a"))
    bench.record(cache, "d")
    assert bench.names(cache) == {"a", "c", "d"}
    cache.lookup_many([bench.key("c")])
    bench.record(cache, "e")
    assert bench.names(cache) == {"c", "d", "e"}


def test_process_that_comes_later_knows_what_was_used_last(bench: Any) -> None:
    inner = bench.cache()
    for name in "abc":
        bench.record(inner, name)
    bench.wait(120)
    Limited(inner, max_size=3, clock=bench.clock).lookup(bench.key("a"))
    bench.record(Limited(inner, max_size=3, clock=bench.clock), "d")
    assert bench.names(inner) == {"a", "c", "d"}


def test_values_go_with_the_last_record_that_needs_them(bench: Any) -> None:
    cache = limited(bench, max_size=2)
    bench.record(cache, "a", "shared")
    bench.record(cache, "b", "shared")
    bench.record(cache, "c", "own")
    assert cache.load(bench.key("b")).result() == ["shared"]
    bench.record(cache, "d", "other")
    bench.record(cache, "e", "another")
    assert set(cache.inner.values.held) == {bench.address("other"), bench.address("another")}


def test_parts_that_another_value_was_split_into_stay(bench: Any) -> None:
    cache = limited(bench, max_size=1)
    bench.record(cache, "a", "x", "part", "lost")
    bench.record(cache, "b", "y", "part")
    assert cache.load(bench.key("b")).result() == ["y", "part"]
    assert set(cache.inner.values.held) == {bench.address("y", "part"), bench.address("part")}


def test_bytes_count_records_and_the_values_that_they_share_once(bench: Any) -> None:
    cache = limited(bench, max_bytes=203)
    for name in "abc":
        bench.record(cache, name, "x" * 100)
    assert bench.names(cache) == {"a", "b", "c"}
    bench.record(cache, "d", "y" * 100)
    assert bench.names(cache) == {"b", "c", "d"}
    bench.record(cache, "e", "z" * 100)
    assert bench.names(cache) == {"d", "e"}
    assert held(cache) == 2


def test_call_larger_than_the_limit_pushes_no_other_out(bench: Any) -> None:
    cache = limited(bench, max_bytes=50)
    bench.record(cache, "a", "x" * 20)
    bench.record(cache, "b", "y" * 60)
    assert bench.names(cache) == {"a"}
    assert held(cache) == 1


def test_old_call_is_a_miss_and_goes(bench: Any) -> None:
    cache = limited(bench, max_age=60)
    record = bench.record(cache, "a")
    bench.wait(record.created - bench.now + 50)
    assert cache.lookup(bench.key("a"))
    bench.wait(20)
    assert bench.names(cache) == set()
    assert not cache.contains(bench.key("a"))
    assert not cache.inner.calls.held


def test_opening_reads_no_record_and_recording_below_the_limit_neither(bench: Any) -> None:
    inner = bench.cache()
    for number in range(20):
        bench.record(inner, f"f{number}")
    cache = Limited(inner, max_size=21, max_bytes=10_000, clock=bench.clock)
    bench.record(cache, "g")
    assert inner.calls.read == 0
    bench.record(cache, "h")
    assert len(bench.names(cache)) == 21


def test_what_other_processes_recorded_counts_when_storages_are_listed_again(bench: Any) -> None:
    inner = bench.cache()
    ours, theirs = (Limited(inner, max_size=10, clock=bench.clock) for _ in range(2))
    for number in range(8):
        bench.record(ours, f"o{number}")
        bench.record(theirs, f"t{number}", "shared")
    assert len(bench.names(ours)) <= 11
    for number in range(8):
        bench.record(ours, f"p{number}", "shared")
    assert len(bench.names(ours)) == 10
    assert {cached.record.name[0] for cached in map(ours.load, map(bench.key, sorted(bench.names(ours))))}
    assert bench.address("shared") in inner.values.held


def test_values_of_calls_under_way_stay(bench: Any) -> None:
    cache = limited(bench, max_size=1)
    cache.inner.calls.leases.keeping.add(bench.address("kept"))
    bench.record(cache, "a", "kept")
    bench.record(cache, "b")
    assert bench.address("kept") in cache.inner.values.held


def test_values_that_no_record_needs_go_before_any_record_once_they_are_old(bench: Any) -> None:
    cache = limited(bench, max_bytes=102)
    cache.inner.values.save(["z" * 80])
    bench.wait(3600)
    bench.record(cache, "a", "x" * 50)
    bench.record(cache, "b", "y" * 50)
    assert bench.names(cache) == {"a", "b"}
    assert held(cache) == 2


def test_recording_a_call_again_is_no_second_record(bench: Any) -> None:
    cache = limited(bench, max_size=2)
    for name in ("a", "b", "b", "b"):
        bench.record(cache, name, name)
    assert bench.names(cache) == {"a", "b"}


@pytest.mark.parametrize("limits", [{}, {"max_size": -1}, {"max_age": -0.5}])
def test_limits_have_to_be_limits(bench: Any, limits: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid):
        limited(bench, **limits)

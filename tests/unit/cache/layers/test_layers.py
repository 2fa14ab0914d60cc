"""What each layer does with calls that are looked for, recorded and removed."""

from __future__ import annotations

import copy
import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from treadle.cache.caches.cached_call import Cached
from treadle.cache.caches.filtered import Filtered
from treadle.cache.caches.over import Over
from treadle.cache.caches.pool import Pool
from treadle.cache.caches.read_only import ReadOnly
from treadle.cache.caches.refreshing import Refreshing
from treadle.cache.caches.stack import Stack
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Template
from treadle.errors import CacheRefused, CacheUnavailable, NotCached, SettingsInvalid

if TYPE_CHECKING:
    from treadle.cache.caches.base import BaseCache


def result(cache: BaseCache, bench: Any, name: str) -> object:
    return cache.load(bench.key(name)).result()


@pytest.mark.parametrize(
    "layer", [ReadOnly, lambda inner: Pool([inner]), lambda c: Filtered(c, lambda _: True)]
)
def test_layers_that_are_only_read_serve_and_refuse_all_else(bench: Any, layer: Any) -> None:
    inner = bench.cache()
    bench.record(inner, "f", "kept")
    cache = layer(inner)
    assert result(cache, bench, "f") == ["kept"]
    assert cache.contains(bench.key("f"))
    assert cache.starting_with(bench.key("f")[:6]) == [bench.key("f")]
    with pytest.raises(CacheRefused, match="not recorded"):
        bench.record(cache, "g")
    with pytest.raises(CacheRefused, match="not recorded"):
        cache.adopt(inner.load(bench.key("f")))
    with pytest.raises(CacheRefused, match="not removed"):
        cache.evict(bench.key("f"))
    assert cache.leases is None
    assert bench.names(inner) == {"f"}


def test_filter_hides_calls_wherever_they_are_asked_for(bench: Any) -> None:
    inner = bench.cache()
    bench.record(inner, "seen")
    bench.record(inner, "hidden")
    cache = Filtered(inner, lambda cached: cached.record.name == "seen")
    hidden, seen = bench.key("hidden"), bench.key("seen")
    assert cache.lookup(hidden) is None
    assert set(cache.lookup_many([hidden, seen])) == {seen}
    assert not cache.contains(hidden)
    assert bench.names(cache) == {"seen"}
    assert cache.starting_with("") == [seen]
    with pytest.raises(NotCached):
        cache.load(hidden)


def test_refreshing_misses_what_is_there_and_records_it_anew(bench: Any) -> None:
    inner = bench.cache()
    bench.record(inner, "f", "old")
    cache = Refreshing(inner)
    assert cache.lookup(bench.key("f")) is None
    assert cache.lookup_many([bench.key("f")]) == {}
    assert not cache.contains(bench.key("f"))
    bench.record(cache, "f", "new")
    assert result(inner, bench, "f") == ["new"]
    assert bench.names(cache) == {"f"}
    assert cache.evict(bench.key("f"))
    assert bench.names(inner) == set()


class OtherKeys(Over):
    """A layer that finds calls by what they are made of only, as one of older records does."""

    def lookup(self, key: Digest) -> None:
        del key

    def lookup_call(self, call: SealedCall) -> Cached | None:
        return self.inner.lookup(call.key)


def test_every_layer_passes_on_what_a_call_is_made_of(bench: Any) -> None:
    inner = bench.cache()
    bench.record(inner, "f", "old")
    below = OtherKeys(inner)
    call = SealedCall(bench.key("f"), "f", "tests", None, None, {}, {})
    for cache in (
        ReadOnly(below),
        Pool([bench.cache(), below]),
        Filtered(below, lambda _: True),
        Over(below),
    ):
        assert cache.lookup(call.key) is None
        found = cache.lookup_call(call)
        assert found is not None
        assert found.result() == ["old"]
    assert Filtered(below, lambda _: False).lookup_call(call) is None
    assert Refreshing(below).lookup_call(call) is None
    upper = bench.cache()
    stack = Stack([upper, below])
    assert stack.lookup_call(call) is not None
    assert bench.names(upper) == {"f"}
    assert stack.lookup(call.key) is not None


def test_stack_records_in_its_first_layer_only(bench: Any) -> None:
    upper, lower = bench.cache(), bench.cache()
    bench.record(Stack([upper, lower]), "f")
    assert (bench.names(upper), bench.names(lower)) == ({"f"}, set())


def test_stack_copies_a_hit_of_a_lower_layer_up_with_its_values(bench: Any) -> None:
    upper, lower = bench.cache(), bench.cache()
    bench.record(lower, "f", "whole", "part")
    stack = Stack([upper, bench.cache(), lower])
    assert result(stack, bench, "f") == ["whole", "part"]
    lower.calls.away = True
    lower.values.held.clear()
    assert result(stack, bench, "f") == ["whole", "part"]
    assert upper.load(bench.key("f")).record == lower.calls.held[bench.key("f")]


def test_stack_asks_each_layer_once_for_many_calls_and_copies_them(bench: Any) -> None:
    upper, lower = bench.cache(), bench.cache()
    bench.record(upper, "a")
    bench.record(lower, "b")
    found = Stack([upper, lower]).lookup_many([bench.key(name) for name in "abc"])
    assert {cached.record.name for cached in found.values()} == {"a", "b"}
    assert bench.names(upper) == {"a", "b"}


def test_stack_copies_a_key_once_however_many_threads_find_it(bench: Any) -> None:
    upper, lower = bench.cache(), bench.cache()
    bench.record(lower, "f")
    stack = Stack([upper, lower])
    adopted = []
    together = threading.Barrier(8)
    adopt = upper.adopt
    upper.adopt = lambda cached: (adopted.append(cached), adopt(cached))

    def find() -> None:
        together.wait()
        stack.lookup(bench.key("f"))

    threads = [threading.Thread(target=find) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(adopted) == 1
    assert not stack._copying._locks


def test_hit_that_cannot_be_copied_up_is_served_all_the_same(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lower, full = bench.cache(), bench.cache()
    bench.record(lower, "f", "kept")
    full.calls.save = lambda *_, **__: (_ for _ in ()).throw(CacheUnavailable("No space is left."))
    stack = Stack([full, lower])
    assert result(stack, bench, "f") == ["kept"]
    assert result(stack, bench, "f") == ["kept"]
    assert [record.message for record in caplog.records] == [
        "a call of a lower layer is served, but not copied into the first: No space is left."
    ]
    assert result(Stack([ReadOnly(bench.cache()), lower]), bench, "f") == ["kept"]
    assert len(caplog.records) == 1


def test_stack_passes_over_a_layer_that_does_not_answer_and_says_so_once(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    away, lower = bench.cache(), bench.cache()
    bench.record(lower, "f", "kept")
    away.calls.away = True
    stack = Stack([away, lower])
    with caplog.at_level(logging.WARNING, "treadle.cache"):
        assert result(stack, bench, "f") == ["kept"]
        assert stack.lookup(bench.key("g")) is None
        assert bench.names(stack) == {"f"}
    passed_over = [record for record in caplog.records if "passed over" in record.message]
    assert len(passed_over) == 1
    lower.calls.away = True
    with pytest.raises(CacheUnavailable):
        stack.lookup(bench.key("f"))


def test_evicting_from_a_stack_removes_the_call_from_every_layer(bench: Any) -> None:
    layers = [bench.cache() for _ in range(3)]
    for layer in layers:
        bench.record(layer, "f")
    assert Stack(layers).evict(bench.key("f")) == 3
    assert [bench.names(layer) for layer in layers] == [set(), set(), set()]


def test_evicting_says_so_where_a_layer_that_is_only_read_still_has_the_call(bench: Any) -> None:
    upper, lower = bench.cache(), bench.cache()
    bench.record(upper, "f")
    stack = Stack([upper, ReadOnly(lower)])
    stack.evict(bench.key("f"))
    bench.record(upper, "f")
    bench.record(lower, "f")
    with pytest.raises(CacheRefused, match="only be read"):
        stack.evict(bench.key("f"))
    assert bench.names(upper) == set()


def test_stack_in_a_stack_is_refused(bench: Any) -> None:
    with pytest.raises(SettingsInvalid, match="layer of a stack"):
        Stack([bench.cache(), Stack([bench.cache()])])
    with pytest.raises(SettingsInvalid, match="keeps nothing"):
        Stack([])


def test_pool_serves_the_first_hit_and_copies_nothing(bench: Any) -> None:
    first, second = bench.cache(), bench.cache()
    bench.record(second, "f", "second")
    pool = Pool([first, second])
    assert result(pool, bench, "f") == ["second"]
    bench.record(first, "f", "first")
    assert result(pool, bench, "f") == ["first"]
    assert first.values.load(bench.address("first")) == ["first"]
    assert pool.load_value(bench.address("second")) == ["second"]
    with pytest.raises(NotCached):
        pool.load_value(bench.address("third"))


def test_calls_of_several_caches_come_latest_first_and_once_each(bench: Any) -> None:
    first, second = bench.cache(), bench.cache()
    for name, cache in zip("abcd", [first, second, first, second], strict=True):
        bench.record(cache, name)
    first.adopt(second.load(bench.key("d")))
    pool = Pool([first, second])
    found = [cached.record.name for cached in pool.find(Template())]
    assert sorted(found) == ["a", "b", "c", "d"]
    created = [cached.record.created for cached in pool.find(Template())]
    assert created == sorted(created, reverse=True)
    assert [cached.record.name for cached in pool.find(Template(name="c"))] == ["c"]
    assert pool.starting_with("") == sorted(map(bench.key, "abcd"))


def test_layers_are_copied_as_they_are_pickled_without_their_locks(bench: Any) -> None:
    inner = Stack([Pool([ReadOnly(bench.cache())])])
    copied = copy.deepcopy(Stack([Refreshing(layer) for layer in inner.layers]))
    assert repr(copied).startswith("Stack([Refreshing(Pool([ReadOnly(")

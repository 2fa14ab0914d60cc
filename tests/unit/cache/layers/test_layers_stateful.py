"""Layers against a model: dictionaries asked one after the other, and a list ordered by use."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.filtered import Filtered
from treadle.cache.caches.limited import Limited
from treadle.cache.caches.pool import Pool
from treadle.cache.caches.read_only import ReadOnly
from treadle.cache.caches.refreshing import Refreshing
from treadle.cache.caches.stack import Stack
from treadle.cache.storages.ports import Template
from treadle.errors import CacheRefused

NAMES = st.sampled_from("abcdef")
PARTS = st.lists(st.sampled_from(["x", "y" * 20, "z" * 40, "w" * 90]), min_size=1, max_size=3)


def check(cache: BaseCache, bench: Any, expected: dict[str, list[str]]) -> None:
    """Whatever way a cache is asked, it has these calls with these results and no other."""
    assert bench.names(cache) == set(expected)
    assert cache.starting_with("") == sorted(map(bench.key, expected))
    for name in "abcdef":
        assert cache.contains(bench.key(name)) == (name in expected)


class Layers(RuleBasedStateMachine):
    bench: Any

    @initialize()
    def build(self) -> None:
        self.plain = [self.bench.cache() for _ in range(3)]
        upper, colleague, lower = self.plain
        self.stack = Stack([upper, ReadOnly(colleague), lower])
        self.pool = Pool([lower, colleague])
        self.filtered = Filtered(Pool(self.plain), lambda cached: cached.record.name in "abc")
        self.refreshing = Refreshing(self.stack)
        self.model: list[dict[str, list[str]]] = [{}, {}, {}]

    @rule(name=NAMES, parts=PARTS, place=st.sampled_from([0, 1, 2]))
    def record_directly(self, name: str, parts: list[str], place: int) -> None:
        self.bench.record(self.plain[place], name, *parts)
        self.model[place][name] = parts

    @rule(name=NAMES, parts=PARTS, refreshing=st.booleans())
    def record(self, name: str, parts: list[str], refreshing: bool) -> None:
        self.bench.record(self.refreshing if refreshing else self.stack, name, *parts)
        self.model[0][name] = parts

    @rule(name=NAMES)
    def look_up(self, name: str) -> None:
        assert self.refreshing.lookup(self.bench.key(name)) is None
        found = self.stack.lookup(self.bench.key(name))
        expected = next((layer[name] for layer in self.model if name in layer), None)
        assert (found and found.result()) == expected
        if expected is not None:
            self.model[0][name] = expected

    @rule(names=st.sets(NAMES))
    def look_many_up(self, names: set[str]) -> None:
        found = self.stack.lookup_many([self.bench.key(name) for name in names])
        for name in names:
            expected = next((layer[name] for layer in self.model if name in layer), None)
            cached = found.get(self.bench.key(name))
            assert (cached and cached.result()) == expected
            if expected is not None:
                self.model[0][name] = expected

    @rule(name=NAMES)
    def evict(self, name: str) -> None:
        if name in self.model[1]:
            with pytest.raises(CacheRefused):
                self.stack.evict(self.bench.key(name))
        else:
            assert bool(self.stack.evict(self.bench.key(name))) == any(name in layer for layer in self.model)
        for place in (0, 2):
            self.model[place].pop(name, None)

    @rule(name=NAMES)
    def look_up_in_the_pool(self, name: str) -> None:
        found = self.pool.lookup(self.bench.key(name))
        expected = self.model[2].get(name, self.model[1].get(name))
        assert (found and found.result()) == expected

    @invariant()
    def every_layer_has_what_the_model_has(self) -> None:
        for cache, expected in zip(self.plain, self.model, strict=True):
            check(cache, self.bench, expected)
        upper, colleague, lower = self.model
        check(self.stack, self.bench, lower | colleague | upper)
        check(self.pool, self.bench, colleague | lower)
        seen = lower | colleague | upper
        check(self.filtered, self.bench, {name: seen[name] for name in seen if name in "abc"})


class Limits(RuleBasedStateMachine):
    bench: Any
    max_size: int
    max_bytes: int

    @initialize()
    def build(self) -> None:
        self.cache = Limited(
            self.bench.cache(), max_size=self.max_size, max_bytes=self.max_bytes, clock=self.bench.clock
        )
        self.model: OrderedDict[str, list[str]] = OrderedDict()

    @rule(name=NAMES, parts=PARTS)
    def record(self, name: str, parts: list[str]) -> None:
        self.bench.record(self.cache, name, *parts)
        self.model.pop(name, None)
        self.model[name] = parts
        if taken({name: parts}) > self.max_bytes and taken(self.model) > self.max_bytes:
            del self.model[name]
        while len(self.model) > self.max_size or taken(self.model) > self.max_bytes:
            self.model.popitem(last=False)

    @rule(name=NAMES)
    def look_up(self, name: str) -> None:
        found = self.cache.lookup(self.bench.key(name))
        assert (found and found.result()) == self.model.get(name)
        if found:
            self.model.move_to_end(name)

    @rule(name=NAMES)
    def evict(self, name: str) -> None:
        self.cache.evict(self.bench.key(name))
        self.model.pop(name, None)

    @invariant()
    def it_has_what_the_model_has(self) -> None:
        check(self.cache, self.bench, self.model)
        for cached in self.cache.find(Template()):
            assert cached.result() == self.model[cached.record.name]


def taken(calls: dict[str, list[str]]) -> int:
    values = {(*parts,) for parts in calls.values()}
    values |= {(part,) for parts in calls.values() for part in parts[1:]}
    return len(calls) + sum(len(value[0]) for value in values)


def run(machine: type[RuleBasedStateMachine], **attributes: object) -> None:
    """Run a machine that has these attributes."""
    run_state_machine_as_test(
        type(machine.__name__, (machine,), attributes),
        settings=settings(max_examples=100, stateful_step_count=30),
    )


def test_layers_do_what_dictionaries_in_order_would(bench: Any) -> None:
    run(Layers, bench=bench)


@pytest.mark.parametrize(("max_size", "max_bytes"), [(2, 10_000), (100, 120), (4, 200), (0, 50)])
def test_limits_do_what_a_list_ordered_by_use_would(bench: Any, max_size: int, max_bytes: int) -> None:
    run(Limits, bench=bench, max_size=max_size, max_bytes=max_bytes)

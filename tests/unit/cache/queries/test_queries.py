"""Queries, and what every cache offers people besides: finding, listing, moving and naming calls."""

from __future__ import annotations

import hashlib
import logging
import pickle
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.cache import Cache
from treadle.cache.keys import digest_of
from treadle.cache.keys.digest import Digest
from treadle.cache.queries import Query
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Entry, Template
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.errors import AmbiguousKey, CacheRefused, Indigestible, NotCached


class Shelf:
    """Values in a dictionary."""

    def __init__(self) -> None:
        self.values: dict[Digest, bytes] = {}

    def save(self, value: object) -> Digest:
        data = pickle.dumps(value)
        digest = Digest(hashlib.sha256(data).hexdigest())
        self.values[digest] = data
        return digest

    def load(self, digest: Digest) -> object:
        if digest not in self.values:
            raise NotCached(f"There is no value {digest}.")
        return pickle.loads(self.values[digest])  # noqa: S301  (written above)

    def contains(self, digest: Digest) -> bool:
        return digest in self.values

    def evict(self, digest: Digest) -> int:
        return len(self.values.pop(digest, b""))

    def children(self, digest: Digest) -> Collection[Digest]:
        del digest
        return ()

    def entries(self) -> Iterator[Entry]:
        return iter(())


@pytest.fixture
def other() -> Iterator[Cache]:
    """An empty cache."""
    calls = SqlCalls("sqlite://")
    yield Cache(Shelf(), calls)
    calls.close()


@pytest.fixture
def cache() -> Iterator[Cache]:
    """`area` of six sizes and `title` of two words, as a run of each left them, in this order."""
    calls = SqlCalls("sqlite://")
    filled = Cache(Shelf(), calls)
    for width in (1, 2, 3):
        for height in (10, 20):
            keep(filled, "area", width * height, width=width, height=height)
    for text in ("warp", "weft"):
        keep(filled, "title", [text.title()], text=text)
    yield filled
    calls.close()


def keep(cache: BaseCache, name: str, result: object, **arguments: object) -> Digest:
    parts = {one: digest_of(value) for one, value in arguments.items()}
    key = digest_of((name, arguments))
    call = SealedCall(key, name, "looms", "1", None, arguments, parts)
    return cache.save(
        call, result, metadata={"runtime": {"timestop": 1e9, "walltime": 0.5}, "tags": {"of": name}}
    )


def results(query: Query) -> list[object]:
    return list(query.results())


def test_calls_are_asked_for_by_the_values_of_their_arguments(cache: Cache) -> None:
    assert results(cache.query(name="area", arguments={"width": 2})) == [40, 20]
    assert results(cache.query(arguments={"width": 2, "height": 10, "depth": None})) == [20]
    assert results(cache.query(arguments={"width": 2.0})) == []
    assert results(cache.query(result=["Warp"])) == [["Warp"]]
    assert results(cache.query(arguments={"text": digest_of("weft")})) == [["Weft"]]
    assert cache.query(name="area", module="elsewhere").empty()
    assert cache.query(version="1", metadata={"tags": {"of": "title"}}).count() == 2
    assert cache.query(Template(name="title")).count() == 2
    assert cache.query().count() == 8


def test_what_has_no_key_cannot_be_asked_for(cache: Cache) -> None:
    with pytest.raises(Indigestible):
        cache.query(arguments={"text": iter("warp")})
    with pytest.raises(TypeError, match="not both"):
        cache.query(Template(), name="area")


def test_a_query_is_asked_anew_each_time(cache: Cache) -> None:
    tall = cache.query(arguments={"height": 20})
    assert tall.count() == 3

    keep(cache, "area", 80, width=4, height=20)

    assert results(tall) == [80, 60, 40, 20]


def test_one_call_is_taken_out(cache: Cache) -> None:
    one = cache.query(arguments={"text": "warp"})
    assert one.only().arguments() == {"text": "warp"}
    with pytest.raises(IndexError):
        cache.query(name="unknown").only()
    with pytest.raises(ValueError, match="several"):
        cache.query(name="area").only()

    found = cache.query(name="area").any()
    assert found is not None
    assert found.result() == 60
    assert cache.query(name="unknown").any() is None
    assert cache.query(name="unknown").empty()
    assert not one.empty()


def test_parts_and_orders_of_a_query(cache: Cache) -> None:
    areas = cache.query(name="area")

    assert results(areas.take(2)) == [60, 30]
    assert results(areas.skip(4)) == [20, 10]
    assert results(areas.skip(1).take(1)) == [30]
    assert results(areas.filter(lambda call: call.argument("width") == 1)) == [20, 10]
    assert results(areas.sorted("height").take(3)) == [30, 20, 10]
    assert results(areas.sorted(lambda call: call.result(), reverse=True)) == [60, 40, 30, 20, 20, 10]
    assert results(areas.sorted()) == [10, 20, 20, 40, 30, 60]
    assert results(areas.unique("width")) == [60, 40, 20]
    assert results(areas.unique(lambda call: call.result())) == [60, 30, 40, 20, 10]
    groups = areas.groupby("height")
    assert {height: results(group) for height, group in groups.items()} == {
        20: [60, 40, 20],
        10: [30, 20, 10],
    }


def test_the_latest_and_the_oldest_call(cache: Cache) -> None:
    areas = cache.query(name="area")

    assert areas.latest().result() == areas.sorted("width").latest().result() == 60
    assert areas.oldest().result() == areas.sorted(reverse=True).oldest().result() == 10
    assert areas.sorted(reverse=True).latest().result() == 60
    for end in (Query.latest, Query.oldest):
        with pytest.raises(IndexError):
            end(cache.query(name="unknown"))


def test_calls_that_match_are_removed(cache: Cache) -> None:
    freed = cache.query(name="area", arguments={"width": 1}).evict()

    assert freed > 0
    assert cache.query().count() == 6


def test_calls_are_copied_with_their_values(
    cache: Cache, other: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    keep(other, "area", "not an area", width=1, height=10)

    with caplog.at_level(logging.WARNING, logger="treadle.cache"):
        assert cache.transfer(other) == 7
    assert "has it already" in caplog.text
    assert results(other.query(arguments={"width": 1, "height": 10})) == ["not an area"]
    assert results(other.query(name="title")) == [["Weft"], ["Warp"]]
    assert cache.query().count() == 8

    assert cache.query(name="area").transfer(other, pop=True, overwrite=True) == 6
    assert results(other.query(arguments={"width": 1, "height": 10})) == [10]
    assert cache.query(name="area").empty()


def test_a_call_whose_value_is_gone_is_not_copied(
    cache: Cache, other: Cache, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(cache.values, Shelf)
    cache.values.values.clear()

    with caplog.at_level(logging.WARNING, logger="treadle.cache"):
        assert cache.transfer(other, pop=True) == 6

    assert caplog.text.count("There is no value") == 2
    assert cache.query().count() == 2


def test_a_table_shows_calls_by_short_keys(cache: Cache) -> None:
    table = cache.query(name="area").table(["width", "name"], results=True)

    assert list(table.columns) == [
        "name",
        "module",
        "result",
        "timestop",
        "walltime",
        "of",
        "width",
        "a_name",
    ]
    assert list(table["result"]) == [60, 30, 40, 20, 20, 10]
    assert list(table["width"]) == [3, 3, 2, 2, 1, 1]
    assert table["timestop"].dt.tz is not None
    for short, call in zip(table.index, cache.query(name="area"), strict=True):
        assert cache.expand(short) == call.record.key
        assert len(short) < 10
    assert set(cache.table(True).columns) >= {"width", "height", "text"}
    assert list(cache.table(shrink_keys=False).index) == [call.record.key for call in cache.query()]
    assert list(cache.query(name="title").table("text")["text"]) == ["weft", "warp"]
    assert cache.query(name="unknown").table().empty


def test_keys_are_shortened_and_found_again(other: Cache) -> None:
    keys = [Digest(start.ljust(64, "0")) for start in ("abcd12", "abcd13", "abcd2", "ffff")]
    for key in keys:
        other.save(SealedCall(key, "f", None, None, None, {}, {}), 1)

    assert other.shrink(keys[0]) == "abcd12"
    assert other.shrink(*keys) == ("abcd12", "abcd13", "abcd2", "ffff")
    assert [other.expand(short) for short in other.shrink(*keys)] == keys
    assert other.expand(keys[0]) == keys[0]
    with pytest.raises(AmbiguousKey, match="Give 6 characters"):
        other.expand("abcd")
    with pytest.raises(AmbiguousKey, match="4"):
        other.expand("abc")
    with pytest.raises(NotCached):
        other.expand("eeee")
    with pytest.raises(NotCached):
        other.shrink("abcd" + "e" * 60)


def test_keys_that_many_share_the_beginning_of_are_shortened(other: Cache) -> None:
    keys = [Digest(f"abcd{number:02x}".ljust(64, "0")) for number in range(40)]
    for key in keys:
        other.save(SealedCall(key, "f", None, None, None, {}, {}), 1)

    assert other.shrink(keys[0], keys[39]) == ("abcd00", "abcd27")


def test_a_view_of_a_cache_is_read_only(cache: Cache) -> None:
    words = cache.filter(lambda call: call.record.name == "title")
    wide = cache.filter(Template(arguments={"width": digest_of(3)}))
    whole = cache.readonly()

    assert (words.query().count(), wide.query().count(), whole.query().count()) == (2, 2, 8)
    for view in (words, wide, whole):
        with pytest.raises(CacheRefused):
            keep(view, "title", "Shed", text="shed")
        with pytest.raises(CacheRefused):
            view.query().evict()


def test_what_is_pushed_on_top_takes_what_is_new(cache: Cache, other: Cache) -> None:
    stack = cache.push(other)
    keep(stack, "title", "Shed", text="shed")

    assert results(other.query()) == ["Shed"]
    assert stack.query().count() == 9
    third = Cache(Shelf(), SqlCalls("sqlite://"))
    assert stack.push(third).query().count() == 9


def test_a_call_that_has_no_key_for_its_result_is_saved(other: Cache, tmp_path: Path) -> None:
    key = keep(other, "title", {"unfinished": tmp_path}, text="x")
    assert other.load(key).result() == {"unfinished": tmp_path}
    with pytest.raises(NotCached, match="no argument 'y'"):
        other.load(key).argument("y")

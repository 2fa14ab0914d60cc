"""Records that fleche has written are listed, read and hit, and never changed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from treadle.cache.keys import digest_of
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall, Stored
from treadle.cache.storages.ports import Template
from treadle.errors import CacheRefused, NotCached

Seal = Callable[..., SealedCall]


def describe(text: str, *more: object, unit: str = "m", **rest: object) -> dict[str, object]:
    return {
        "text": text,
        "more": [list(more), [unit, [None, {"deep": (True, b"x", date(2020, 1, 2))}]]],
        **rest,
    }


def negate(array: np.ndarray) -> np.ndarray:
    return -array


def double(number: float) -> float:
    return 2 * number


def shout(text: str) -> str:
    return text.upper()


def whisper(text: str) -> str:
    return text.lower()


whisper.__version__ = "2"  # type: ignore[attr-defined]  # as fleche sets it


def count(text: str) -> int:
    return len(text)


def length_of(items: object) -> str:
    return f"{items!r}"


def test_a_call_of_plain_values_is_hit(recording: Any, seal: Seal) -> None:
    key = recording.record(describe, "a", "b", ["c", ["d"]], z={"k": None})

    call = seal(describe, "a", "b", ["c", ["d"]], z={"k": None})
    found = recording.layer().lookup_call(call)

    assert found is not None
    assert found.result() == describe("a", "b", ["c", ["d"]], z={"k": None})
    assert found.arguments() == {
        "text": "a",
        "more": ("b", ["c", ["d"]]),
        "unit": "m",
        "rest": {"z": {"k": None}},
    }
    assert found.record.key == call.key
    assert found.record.provenance == f"fleche {key}"
    assert found.record.result_key == digest_of(found.result())
    assert {argument.name: argument.key for argument in found.record.arguments} == call.parts


def test_a_call_with_an_array_is_hit(recording: Any, seal: Seal) -> None:
    array = np.arange(12, dtype="f4").reshape(3, 4)
    recording.record(negate, array)

    found = recording.layer().lookup_call(seal(negate, array))

    assert found is not None
    result = found.result()
    assert isinstance(result, np.ndarray)
    assert result.dtype == "f4"
    assert np.array_equal(result, -array)


CONFUSABLE = [
    *(1, 1.0, True, np.True_, np.int64(1), "1", b"1", 0, 0.0, -0.0, False, None, "", Decimal(1)),
    *([1], [1.0], [True], [np.True_], (True,), ("1",), ["1"], {"a": True}, {"a": np.True_}, {"a": "1"}),
    *(np.array([1]), np.array([1.0]), np.array([True]), np.array(["1"]), np.ma.array([1], mask=[1])),
    *(np.ones((2, 3)), np.asfortranarray(np.ones((2, 3))), np.ones((3, 2)), np.array(["1"], object)),
    *(datetime(2020, 1, 1), datetime(2020, 1, 1, fold=1)),  # noqa: DTZ001 - without a zone
    *(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/London"))),
]


def tell(value: Any) -> str:
    order = value.flags.f_contiguous if isinstance(value, np.ndarray) else None
    return f"{type(value)} {value!r} {order} {getattr(value, 'fold', None)}"


@pytest.mark.parametrize("values", [CONFUSABLE, CONFUSABLE[::-1]], ids=["forward", "backward"])
def test_no_call_is_answered_with_the_result_of_another(
    pickled: Any, seal: Seal, values: list[object]
) -> None:
    for value in values:
        pickled.record(tell, value)
    layer = pickled.layer()

    found = [(value, layer.lookup_call(seal(tell, value))) for value in values]

    assert [cached.result() for _, cached in found if cached] == [
        tell(value) for value, cached in found if cached
    ]
    assert {tell(value) for value, cached in found if cached} >= {
        tell(value)
        for value in ("1", b"1", None, "", ("1",), ["1"], {"a": "1"}, np.array([1]), np.array([1.0]))
    }


def test_other_calls_are_misses(recording: Any, seal: Seal) -> None:
    recording.record(shout, "a")
    layer = recording.layer()

    assert layer.lookup_call(seal(shout, "a")) is not None
    assert layer.lookup_call(seal(shout, "b")) is None
    assert layer.lookup_call(seal(length_of, "a")) is None


def test_the_version_counts(recording: Any, seal: Seal) -> None:
    recording.record(whisper, "A")
    layer = recording.layer()

    assert layer.lookup_call(seal(whisper, "A")) is not None
    assert layer.lookup_call(seal(whisper, "A", version=2)) is None


@pytest.mark.parametrize("number", [3, 3.0, np.int64(3)], ids=repr)
def test_a_number_is_hit_only_if_records_are_trusted(pickled: Any, seal: Seal, number: float) -> None:
    key = pickled.record(double, 3)

    assert pickled.layer().lookup_call(seal(double, number)) is None
    found = pickled.layer(trust="recorded").lookup_call(seal(double, number))

    assert found is not None
    assert found.result() == 6
    assert found.record.provenance == f"fleche {key}, trusted as recorded"


def test_a_number_as_result_is_hit_only_if_records_are_trusted(pickled: Any, seal: Seal) -> None:
    pickled.record(count, "abc")

    assert pickled.layer().lookup_call(seal(count, "abc")) is None
    trusted = pickled.layer(trust="recorded").lookup_call(seal(count, "abc"))
    assert trusted is not None
    assert trusted.result() == 3


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (np.True_, True),
        ([np.True_], [True]),
        (np.asfortranarray(np.ones((2, 3))), np.ones((2, 3))),
    ],
    ids=repr,
)
def test_a_value_of_another_type_or_order_is_no_hit(
    pickled: Any, seal: Seal, recorded: object, asked: object
) -> None:
    key = pickled.record(length_of, recorded)

    assert pickled.layer().lookup(Digest(key)) is not None
    assert pickled.layer().lookup_call(seal(length_of, asked)) is None


def test_a_call_whose_argument_was_not_kept_is_no_hit(pickled: Any, seal: Seal) -> None:
    key = pickled.record(shout, "a")
    (argument,) = pickled.layer().load(Digest(key)).record.arguments
    (pickled.root / "values" / argument.key).unlink()

    assert pickled.layer().lookup_call(seal(shout, "a")) is None
    assert pickled.layer().load(Digest(key)).arguments() == {}
    assert pickled.layer().load(Digest(key)).result() == "A"


def test_a_call_whose_code_counts_is_no_hit(pickled: Any, seal: Seal) -> None:
    pickled.record(shout, "a")
    call = seal(shout, "a")
    with_code = SealedCall(
        call.key, call.name, call.module, call.version, Digest("0" * 64), call.arguments, call.parts
    )

    assert pickled.layer().lookup_call(with_code) is None


def test_a_result_filed_under_a_wrong_digest_is_a_miss(pickled: Any, seal: Seal) -> None:
    first, second = (pickled.layer().load(Digest(pickled.record(shout, text))).record for text in ("a", "b"))
    assert isinstance(first.result, Stored)
    assert isinstance(second.result, Stored)
    folder = pickled.root / "values"
    (folder / second.result.digest).replace(folder / first.result.digest)

    assert pickled.layer().lookup_call(seal(shout, "a")) is None
    with pytest.raises(NotCached, match="another value"):
        pickled.layer().load(first.key).result()


def test_a_record_filed_under_a_wrong_key_is_a_miss(pickled: Any, seal: Seal) -> None:
    first, second = (pickled.record(shout, text) for text in ("a", "b"))
    (pickled.root / "calls" / second).replace(pickled.root / "calls" / first)

    assert pickled.layer().lookup_call(seal(shout, "a")) is None


def test_damaged_files_are_misses_told_of_once(
    pickled: Any, seal: Seal, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("a", "b", "c"):
        pickled.record(shout, text)
    for file in (pickled.root / "values").iterdir():
        file.write_bytes(file.read_bytes()[:-3])
    layer = pickled.layer()

    with caplog.at_level(logging.WARNING, "treadle.cache"):
        assert [layer.lookup_call(seal(shout, text)) for text in ("a", "b", "c")] == [None] * 3

    assert len([record for record in caplog.records if "passed over" in record.getMessage()]) == 1
    assert len(list((pickled.root / "values").iterdir())) == 6


def test_all_records_are_listed_and_read(recording: Any) -> None:
    recording.record(double, 3)
    recording.record(shout, "a")
    recording.record(length_of, {"x", "y"})

    listed = {cached.record.name: cached for cached in recording.layer().find(Template())}

    assert {name: cached.result() for name, cached in listed.items()}.keys() == {
        "double",
        "shout",
        "length_of",
    }
    assert listed["double"].result() == 6
    assert listed["double"].arguments() == {"number": 3}
    assert listed["length_of"].arguments() == {"items": {"x", "y"}}
    assert listed["double"].record.scheme == "fleche"
    assert "walltime" in listed["double"].record.metadata["runtime"]
    assert listed["double"].record.created > 0


def test_the_latest_is_listed_first(recording: Any) -> None:
    for text in ("a", "b", "c"):
        recording.record(shout, text)
    keys = [cached.record.metadata["runtime"]["timestop"] for cached in recording.layer().find(Template())]

    assert len(keys) == 3
    assert keys == sorted(keys, reverse=True)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        (Template(name="shout"), 2),
        (Template(name="double"), 0),
        (Template(module=shout.__module__), 2),
        (Template(module="elsewhere"), 0),
        (Template(version=1), 0),
        (Template(code=Digest("0" * 64)), 0),
        (Template(arguments={"text": digest_of("a")}), 1),
        (Template(arguments={"text": digest_of("z")}), 0),
        (Template(arguments={"words": digest_of("a")}), 0),
        (Template(result=digest_of("B")), 1),
        (Template(result=digest_of("b")), 0),
        (Template(metadata={"runtime": {"walltime": None}}), 2),
        (Template(metadata={"runtime": {"place": None}}), 0),
        (Template(metadata={"runtime": {"walltime": True}}), 0),
    ],
    ids=str,
)
def test_templates_select(recording: Any, template: Template, found: int) -> None:
    recording.record(shout, "a")
    recording.record(shout, "b")

    assert len(list(recording.layer().find(template))) == found


def test_keys_are_found_by_their_beginnings(recording: Any) -> None:
    key = Digest(recording.record(shout, "a"))
    layer = recording.layer()

    assert layer.starting_with(key[:6]) == [key]
    assert layer.starting_with("zz") == []
    assert layer.contains(key)
    assert not layer.contains(Digest("0" * 64))


def test_nothing_is_recorded_or_removed(recording: Any, seal: Seal) -> None:
    key = Digest(recording.record(shout, "a"))
    layer = recording.layer()

    with pytest.raises(CacheRefused, match="only read"):
        layer.prepare(seal(shout, "b"))
    with pytest.raises(CacheRefused, match="only read"):
        layer.adopt(layer.load(key))
    with pytest.raises(CacheRefused, match="only read"):
        layer.evict(key)
    assert layer.contains(key)


def test_reading_leaves_every_file_as_it_is(recording: Any, seal: Seal) -> None:
    recording.record(shout, "a")
    recording.close()
    before = _contents(recording.root)
    layer = recording.layer()

    assert layer.lookup_call(seal(shout, "a")) is not None
    assert [cached.result() for cached in layer.find(Template())] == ["A"]

    assert _contents(recording.root) == before


def test_a_missing_folder_is_empty_and_not_made(tmp_path: Path, seal: Seal) -> None:
    from treadle.cache.fleche.layer import FlecheCache
    from treadle.cache.fleche.opening import holds_records, old_calls, old_values

    layer = FlecheCache(old_values("pickle", tmp_path / "values"), old_calls("pickle", tmp_path / "calls"))

    assert layer.lookup_call(seal(shout, "a")) is None
    assert list(layer.find(Template())) == []
    assert not holds_records("pickle", tmp_path / "calls")
    assert not holds_records("bagofholding_hdf", tmp_path / "calls")
    assert not holds_records("sql", tmp_path / "calls.db")
    assert list(tmp_path.iterdir()) == []


def test_a_place_with_records_is_known(recording: Any) -> None:
    from treadle.cache.fleche.opening import holds_records

    recording.record(shout, "a")

    assert holds_records(recording.calls, recording.calls_place)


def test_records_become_ours_where_they_can_be_relied_upon(recording: Any, seal: Seal) -> None:
    recording.record(shout, "a")
    recording.record(double, 3)
    layer, trusting = recording.layer(), recording.layer(trust="recorded")

    ours = {cached.record.name: layer.converted(cached) for cached in layer.find(Template())}
    trusted = {cached.record.name: trusting.converted(cached) for cached in trusting.find(Template())}

    assert ours["shout"] is not None
    assert ours["shout"].record.key == seal(shout, "a").key
    assert ours["shout"].result() == "A"
    assert ours["double"] is None
    assert trusted["double"] is not None
    assert trusted["double"].record.key == seal(double, 3).key
    assert "trusted as recorded" in trusted["double"].record.provenance


def test_a_record_becomes_ours_whatever_order_its_arguments_are_stored_in(recording: Any, seal: Seal) -> None:
    recording.record(describe, "a", unit="kg", b="c")
    layer = recording.layer()

    (ours,) = (layer.converted(cached) for cached in layer.find(Template()))

    assert ours is not None
    assert ours.record.key == seal(describe, "a", unit="kg", b="c").key


def _contents(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}

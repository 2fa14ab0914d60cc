"""Records survive their written form to the bit, and nothing that is damaged passes for one."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.record_json import decode_record, encode_record
from treadle.cache.records import FORMAT, Argument, CallRecord, Inline, Kept, Outcome, Stored
from treadle.errors import Unstorable

digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(raw.hex()))
surrogates = st.text(st.characters(), max_size=5)
atoms = st.none() | st.booleans() | st.integers() | st.floats() | surrogates | st.binary(max_size=40)
kept = st.builds(Inline, atoms) | st.builds(Stored, digests)
names = st.text(min_size=1, max_size=10)
records = st.builds(
    CallRecord,
    key=digests,
    name=names,
    module=st.none() | names,
    version=st.none() | st.integers() | names,
    code=st.none() | digests,
    arguments=st.lists(st.builds(Argument, names, digests, st.none() | kept), max_size=4).map(tuple),
    result=kept,
    result_key=st.none() | digests,
    outcome=st.sampled_from(Outcome),
    created=st.floats(0, 4e9),
    metadata=st.dictionaries(names, st.dictionaries(names, st.none() | st.integers() | st.floats(0, 1))),
    scheme=st.sampled_from(["v1", "v2"]),
    provenance=names | st.just(""),
)


def bits(value: Kept | None) -> object:
    """What tells two kept values apart: equality does not for NaN, -0.0 and True."""
    if not isinstance(value, Inline):
        return value
    text = struct.pack("d", value.value) if isinstance(value.value, float) else value.value
    return type(value.value), text


@given(records)
def test_a_record_is_read_as_it_was_written(record: CallRecord) -> None:
    read = decode_record(encode_record(record))

    assert bits(read.result) == bits(record.result)
    assert [bits(one.value) for one in read.arguments] == [bits(one.value) for one in record.arguments]
    for field in ("key", "name", "module", "version", "code", "result_key", "outcome", "created"):
        assert getattr(read, field) == getattr(record, field)
    assert [(one.name, one.key) for one in read.arguments] == [(o.name, o.key) for o in record.arguments]
    assert (read.metadata, read.scheme, read.provenance) == (
        record.metadata,
        record.scheme,
        record.provenance,
    )
    assert type(read.key) is Digest


def a_record(result: Kept, **metadata: object) -> CallRecord:
    """A record of a call without arguments."""
    return CallRecord(
        key=Digest("a" * 64),
        name="f",
        module="m",
        version=1,
        code=None,
        arguments=(),
        result=result,
        result_key=None,
        outcome=Outcome.RETURNED,
        created=1.5,
        metadata=metadata,  # type: ignore[arg-type]  # some are wrong on purpose
    )


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        math.inf,
        struct.unpack(">d", bytes.fromhex("7ff8000000000001"))[0],
        10**5000,
        -(1 << 53),
        True,
        1,
        1.0,
        "\ud83d\ude00",
        "😀",
        "\0",
        b"\0\xff",
        "",
        None,
    ],
    ids=lambda value: type(value).__name__,
)
def test_atoms_keep_their_type_and_bits(value: object) -> None:
    written = Inline(value)  # type: ignore[arg-type]  # mypy cannot see the parameters' types

    assert bits(decode_record(encode_record(a_record(written))).result) == bits(written)


def test_a_record_of_a_later_format_is_told_from_a_damaged_one() -> None:
    document = json.loads(encode_record(a_record(Inline(1))))
    document["format"] = FORMAT + 1
    del document["result"]

    with pytest.raises(WrittenByNewer, match="format 2"):
        decode_record(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "../../etc/passwd"),
        ("key", None),
        ("result", ["stored", "a" * 63]),
        ("result", ["stored"]),
        ("result", ["int", 1.5]),
        ("result", ["int", True]),
        ("result", ["bool", 1]),
        ("result", ["float", "00"]),
        ("result", ["bytes", "&&&"]),
        ("result", ["complex", "1j"]),
        ("result", [["list"]]),
        ("result", None),
        ("arguments", [["x", "b" * 64]]),
        ("outcome", "unknown"),
        ("metadata", []),
        ("version", True),
        ("format", "1"),
    ],
)
def test_what_is_no_record_is_damaged(field: str, value: object) -> None:
    document = json.loads(encode_record(a_record(Inline(1))))
    document[field] = value

    with pytest.raises(Damaged):
        decode_record(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_other_bytes_are_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode_record(data)


@given(records, st.data())
def test_a_cut_record_is_damaged(record: CallRecord, data: st.DataObject) -> None:
    written = encode_record(record)

    with pytest.raises(Damaged):
        decode_record(written[: data.draw(st.integers(0, len(written) - 1))])


def test_metadata_that_are_no_json_are_refused() -> None:
    with pytest.raises(Unstorable, match="metadata of a call of f"):
        encode_record(a_record(Inline(1), tags=object()))

"""An envelope opens only as what it was closed as, for whom it was closed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.values.compression import LZMA, ZLIB, Compression, compression
from treadle.cache.values.envelope import (
    HEADER_GUESS,
    Kind,
    Letter,
    children_in,
    enclose,
    header_size,
    open_envelope,
)
from treadle.cache.values.keyring import Keyring
from treadle.errors import SettingsInvalid, UnknownName

ADDRESS = Digest("0123456789abcdef" * 4)
OTHER = Digest("f" * 64)
MINE, OLD, NOBODY = Keyring([b"mine", b"old"]), Keyring([b"old"]), Keyring()

digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(raw.hex()))
letters = st.builds(
    Letter,
    st.lists(st.binary(max_size=60), min_size=1, max_size=3),
    st.sampled_from(["pickle", "cloudpickle", "json", ""]),
    st.lists(digests, max_size=20).map(tuple),
)


def closed(
    letter: Letter,
    keyring: Keyring = NOBODY,
    packing: Compression | None = None,
    kind: Kind = Kind.VALUE,
    boundary: int = 64,
) -> bytes:
    """The bytes of an envelope for ADDRESS."""
    parts = enclose(letter, kind, ADDRESS, keyring=keyring, compression=packing, boundary=boundary)
    return b"".join(parts)


@given(
    letters,
    st.sampled_from([NOBODY, MINE]),
    st.sampled_from([None, ZLIB, LZMA]),
    st.sampled_from([64, 512]),
)
def test_what_was_put_in_comes_out(
    letter: Letter, keyring: Keyring, packing: Compression | None, boundary: int
) -> None:
    data = closed(letter, keyring, packing, boundary=boundary)

    opened = open_envelope(data, Kind.VALUE, ADDRESS, keyring)

    assert bytes(opened.payload) == b"".join(letter.parts)
    assert (opened.codec, opened.children) == (letter.codec, letter.children)
    assert header_size(data[:HEADER_GUESS]) in [boundary << doublings for doublings in range(8)]
    assert children_in(data[: header_size(data)], ADDRESS, keyring) == letter.children


def test_compression_is_used_where_it_helps() -> None:
    dull, short = Letter((b"a" * 1000,), "pickle"), Letter((b"abc",), "pickle")

    assert len(closed(dull, packing=ZLIB)) < len(closed(dull)) - 900
    assert closed(short, packing=ZLIB) == closed(short)


@given(letters, st.data())
def test_no_bit_of_a_signed_envelope_can_be_changed(letter: Letter, data: st.DataObject) -> None:
    written = bytearray(closed(letter, MINE))
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    with pytest.raises(Damaged):
        open_envelope(bytes(written), Kind.VALUE, ADDRESS, MINE)


@given(letters, st.data())
def test_nothing_can_be_cut_off_or_added(letter: Letter, data: st.DataObject) -> None:
    written = closed(letter)
    cut = written[: data.draw(st.integers(0, len(written) - 1))]

    for damaged in (cut, written + b"\0"):
        with pytest.raises(Damaged):
            open_envelope(damaged, Kind.VALUE, ADDRESS, NOBODY)


LETTER = Letter((b"payload",), "pickle")


def test_it_belongs_to_one_address_and_is_one_kind() -> None:
    data = closed(LETTER, MINE)

    with pytest.raises(Damaged, match="belongs elsewhere"):
        open_envelope(data, Kind.VALUE, OTHER, MINE)
    with pytest.raises(Damaged, match="belongs elsewhere"):
        open_envelope(data, Kind.RECORD, ADDRESS, MINE)


def test_any_key_verifies_and_the_first_signs() -> None:
    assert open_envelope(closed(LETTER, OLD), Kind.VALUE, ADDRESS, MINE).codec == "pickle"
    with pytest.raises(Damaged, match="another key"):
        open_envelope(closed(LETTER, MINE), Kind.VALUE, ADDRESS, OLD)
    with pytest.raises(Damaged, match="not signed"):
        open_envelope(closed(LETTER), Kind.VALUE, ADDRESS, MINE)


def test_without_keys_what_others_signed_is_still_checked() -> None:
    data = bytearray(closed(LETTER, MINE))

    assert open_envelope(bytes(data), Kind.VALUE, ADDRESS, NOBODY).codec == "pickle"
    data[-1] ^= 1
    with pytest.raises(Damaged):
        open_envelope(bytes(data), Kind.VALUE, ADDRESS, NOBODY)


def test_a_later_format_is_left_alone() -> None:
    data = bytearray(closed(LETTER))
    data[8:10] = b"\x02\x02"

    with pytest.raises(WrittenByNewer, match="format 2"):
        open_envelope(bytes(data), Kind.VALUE, ADDRESS, NOBODY)
    data[8:10] = b"\x02\x01"
    with pytest.raises(Damaged):
        open_envelope(bytes(data), Kind.VALUE, ADDRESS, NOBODY)


def test_nothing_is_decompressed_before_it_is_verified() -> None:
    bomb = Compression("zlib", lambda _: b"", lambda data, limit: zlib.decompress(data, bufsize=limit))
    data = closed(Letter((b"x" * 100,), "pickle"), MINE, bomb)

    with pytest.raises(Damaged, match="decompress"):
        open_envelope(data, Kind.VALUE, ADDRESS, MINE)  # whoever has the key may write nonsense
    with pytest.raises(Damaged, match="not signed"):
        open_envelope(closed(Letter((b"x" * 100,), "pickle"), NOBODY, bomb), Kind.VALUE, ADDRESS, MINE)


def test_a_letter_that_grows_beyond_its_length_is_damaged() -> None:
    more = Compression("zlib", lambda data: zlib.compress(bytes(data) * 10), ZLIB.decompress)
    data = closed(Letter((b"x" * 1000,), "pickle"), NOBODY, more)

    with pytest.raises(Damaged, match="other than 1000 bytes"):
        open_envelope(data, Kind.VALUE, ADDRESS, NOBODY)


def test_address_depends_on_serialiser_bytes_and_children() -> None:
    letters = [
        Letter((b"ab",), "pickle"),
        Letter((b"ab",), "dill"),
        Letter((b"abc",), "pickle"),
        Letter((b"ab",), "pickle", (ADDRESS,)),
        Letter((b"ab",), "pickle", (OTHER,)),
        Letter((b"ab",), "pickle", (OTHER, ADDRESS)),
        Letter((b"ab",), "pickle", (ADDRESS, OTHER)),
    ]

    assert len({letter.address(letter.content()) for letter in letters}) == len(letters)
    assert Letter((b"a", b"b"), "pickle").content() == letters[0].content()


def test_keys_are_read_as_hexadecimal_and_never_shown() -> None:
    keyring = Keyring.parse(["6d696e65", "6f6c64"])

    assert keyring.verify(b"c", b"p", MINE.sign(b"c", b"p"))
    assert "mine" not in repr(keyring)
    for texts in (["xyz-secret"], [""], ["61", "6"]):
        with pytest.raises(SettingsInvalid) as caught:
            Keyring.parse(texts)
        assert "secret" not in str(caught.value).replace("secret key", "")
        assert caught.value.__cause__ is None


def test_a_signature_holds_for_its_context_alone() -> None:
    signature = MINE.sign(b"record a", b"payload")

    assert MINE.verify(b"record a", b"payload", signature)
    assert not MINE.verify(b"record b", b"payload", signature)
    assert not MINE.verify(b"record ap", b"ayload", signature)
    assert not MINE.verify(b"record a", b"payload", b"")
    assert NOBODY.sign(b"", b"") == b""


def test_compression_is_chosen_by_name() -> None:
    assert (compression(choice=True), compression(choice=False), compression("lzma")) == (ZLIB, None, LZMA)
    with pytest.raises(UnknownName, match="brotli"):
        compression("brotli")

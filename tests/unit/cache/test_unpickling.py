"""A pickle uses what it is allowed to use, and nothing that hides behind it."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from treadle.cache.values.codecs import CLOUDPICKLE, DILL, PICKLE, Pickling
from treadle.cache.values.unpickling import Allowed, unpickle, writable_by_others
from treadle.errors import Unstorable
from treadle.testing.cache_values import Colour, Sample, same

NOTHING = Allowed(())


def names(module: str, name: str) -> bytes:
    """A pickle of a name of a module."""
    return pickle.PROTO + b"\x04" + _text(module) + _text(name) + pickle.STACK_GLOBAL + pickle.STOP


def _text(text: str) -> bytes:
    return pickle.SHORT_BINUNICODE + bytes((len(text),)) + text.encode()


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, 1j, None, True, b"x", bytearray(b"y"), {1}, frozenset({2}), range(3), slice(1)]},
        [datetime(2026, 1, 2, tzinfo=UTC), timedelta(1), Decimal("1.1"), Fraction(1, 2), UUID(int=1)],
        [OrderedDict(a=1), Path("a/b"), datetime(2026, 1, 2, tzinfo=ZoneInfo("UTC"))],
    ],
)
def test_plain_values_need_no_allowance(value: object) -> None:
    assert unpickle(pickle.dumps(value), [], NOTHING) == value


@pytest.mark.parametrize("codec", [PICKLE, CLOUDPICKLE, DILL], ids=lambda codec: codec.name)
def test_arrays_need_no_allowance(codec: Pickling) -> None:
    np = pytest.importorskip("numpy")
    for value in (
        np.arange(5),
        np.zeros((300, 300)),
        np.float32(1.5),
        np.arange(6)[::2],
        np.datetime64("2026"),
    ):
        loaded = codec.loads(b"".join(codec.dumps(value)), NOTHING)
        assert type(loaded) is type(value)
        assert np.array_equal(np.asarray(loaded), value)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("datetime", "sys.modules"),
        ("treadle.testing.cache_values", "dataclasses.sys"),
        ("treadle.testing.cache_values", "Sample.__init__"),
    ],
)
def test_nothing_else_is_found(module: str, name: str) -> None:
    allowed = Allowed(["treadle.testing.cache_values.*"])

    with pytest.raises(pickle.UnpicklingError, match=f"{module}.{name} is not among"):
        unpickle(names(module, name), [], allowed)
    assert unpickle(names("treadle.testing.cache_values", "Sample"), [], allowed) is Sample


def test_attributes_are_those_of_enums_only() -> None:
    allowed = Allowed(["treadle.testing.cache_values.*"])
    taken = names("builtins", "getattr")[2:-1], names("treadle.testing.cache_values", "Sample")[2:-1]
    forged = b"".join(
        (pickle.PROTO, b"\x04", *taken, _text("__init__"), pickle.TUPLE2, pickle.REDUCE, pickle.STOP)
    )

    assert unpickle(pickle.dumps([Colour.RED]), [], allowed) == [Colour.RED]
    with pytest.raises(pickle.UnpicklingError, match="attribute __init__"):
        unpickle(forged, [], allowed)


def test_names_are_allowed_one_by_one() -> None:
    allowed = Allowed(["treadle.testing.cache_values.Sample"])

    assert unpickle(pickle.dumps(Sample("a", 1)), [], allowed) == Sample("a", 1)
    with pytest.raises(pickle.UnpicklingError, match="Colour"):
        unpickle(pickle.dumps([Sample("a", Colour.RED)]), [], allowed)


@pytest.mark.parametrize("codec", [PICKLE, CLOUDPICKLE, DILL], ids=lambda codec: codec.name)
def test_arrays_keep_their_order_of_bytes(codec: Pickling) -> None:
    """Numpy alone turns those that are not contiguous to this machine's."""
    np = pytest.importorskip("numpy")
    whole = np.arange(40_000, dtype=">f4").reshape(200, 200)
    record = np.zeros(10, dtype=[("a", ">i4"), ("b", "<f8")])
    for array in (whole, whole[::2], whole.T, whole[:, ::3], record[::2], np.array(1, ">u2"), whole[:0]):
        loaded = codec.loads(b"".join(codec.dumps([array])), None)
        assert isinstance(loaded, list)
        assert same(loaded[0], array)


@pytest.mark.parametrize("codec", [PICKLE, CLOUDPICKLE], ids=lambda codec: codec.name)
def test_large_arrays_are_views_of_the_bytes_and_can_be_changed(codec: Pickling) -> None:
    np = pytest.importorskip("numpy")
    arrays = [np.arange(20_000.0), np.asfortranarray(np.ones((200, 100))), np.arange(5)]
    data = bytearray(b"".join(codec.dumps(arrays)))
    loaded = codec.loads(data, None)

    assert isinstance(loaded, list)
    assert all(same(one, array) for one, array in zip(loaded, arrays, strict=True))
    assert [np.shares_memory(one, np.frombuffer(data, "u1")) for one in loaded] == [True, True, False]
    assert loaded[1].flags.f_contiguous
    loaded[0][0] = 5.0


def test_arrays_that_may_not_be_changed_stay_so() -> None:
    np = pytest.importorskip("numpy")
    array = np.arange(20_000.0)
    array.flags.writeable = False
    loaded = PICKLE.loads(bytearray(b"".join(PICKLE.dumps(array))), None)

    assert isinstance(loaded, np.ndarray)
    assert not loaded.flags.writeable


def test_frames_of_pandas_come_back() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": range(20_000), "b": ["x", "y"] * 10_000})
    loaded = CLOUDPICKLE.loads(bytearray(b"".join(CLOUDPICKLE.dumps(frame))), None)

    assert isinstance(loaded, pd.DataFrame)
    pd.testing.assert_frame_equal(loaded, frame)


def test_cut_buffers_are_an_error_of_their_own() -> None:
    np = pytest.importorskip("numpy")
    data = b"".join(PICKLE.dumps(np.arange(20_000.0)))

    with pytest.raises(ValueError, match="cut short"):
        PICKLE.loads(data[:-100], None)


def test_cloudpickle_keeps_what_cannot_be_imported() -> None:
    loaded = CLOUDPICKLE.loads(b"".join(CLOUDPICKLE.dumps(lambda x: x + 1)), None)

    assert callable(loaded)
    assert loaded(1) == 2
    with pytest.raises(Unstorable, match=r"pickle cannot keep a value of type builtins\.function") as caught:
        PICKLE.dumps(lambda x: x)
    assert "lambda" in caught.value.detail


def test_a_folder_of_this_user_alone_is_nobody_elses(tmp_path: Path) -> None:
    for mode, writers in ((0o700, None), (0o755, None), (0o757, "everybody"), (0o500, None)):
        tmp_path.chmod(mode)
        assert writable_by_others(str(tmp_path)) == writers
    tmp_path.chmod(0o700)
    assert writable_by_others(str(tmp_path / "absent")) is None

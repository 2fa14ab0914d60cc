"""Serialisers: how values become bytes."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

from treadle.cache.values.buffers import LARGE_BYTES, join_buffers, split_buffers
from treadle.cache.values.compression import Bytes
from treadle.cache.values.envelope import BOUNDARY
from treadle.cache.values.script_classes import reduce_class
from treadle.cache.values.unpickling import Allowed, unpickle
from treadle.errors import Unstorable

if TYPE_CHECKING:
    from numpy import ndarray

_PROTOCOL = 5


BufferCallback = Callable[[pickle.PickleBuffer], bool]
"""Whether a buffer is to stand within the pickle."""

Reduced = str | tuple[Callable[..., object], tuple[object, ...]]
"""What pickle makes an object of."""

_UNCHANGED = cast("Reduced", NotImplemented)  # pickle reduces it in its own way


class Codec(Protocol):
    """A serialiser."""

    @property
    def name(self) -> str:
        """What stands in the envelope: whoever reads finds the serialiser by it."""
        ...

    @property
    def boundary(self) -> int:
        """The bytes begin in a file after so many others, or twice as many, and so on."""
        ...

    def dumps(self, value: object) -> Sequence[Bytes]:
        """Return a value as bytes in pieces, which may be views of the value.

        Raises:
            Unstorable: It cannot be serialised.
        """
        ...

    def loads(self, data: Bytes, allowed: Allowed | None) -> object:
        """Return the value that was serialised; raises whatever making it raises.

        Args:
            data: The bytes in one piece; if they can be changed, the value may be made of views of them.
            allowed: Names that a serialiser that runs what is in the bytes may use; all if None.
        """
        ...


_Load = Callable[[Bytes, Sequence[memoryview], Allowed | None], object]


class _Dump(Protocol):
    def __call__(self, value: object, written: io.BytesIO, buffers: BufferCallback) -> None: ...


@dataclass(frozen=True, slots=True)
class Pickling:
    """A serialiser whose bytes are a pickle; large arrays stand behind it, and are neither copied in nor out.

    Attributes:
        name: Its name.
        dump: Makes the pickle.
        load: Makes the value of it.
    """

    name: str
    dump: _Dump
    load: _Load = unpickle
    boundary: int = BOUNDARY

    def dumps(self, value: object) -> Sequence[Bytes]:
        """Pickle a value with protocol 5."""
        written = io.BytesIO()  # grows in place, several times as fast as `pickle.dumps`
        large: list[memoryview] = []

        def is_small(buffer: pickle.PickleBuffer) -> bool:
            view = buffer.raw()
            if view.nbytes < LARGE_BYTES:
                return True
            large.append(view)
            return False

        try:
            self.dump(value, written, is_small)
        except Exception as error:  # a value's own code runs here, and may raise anything
            kind = type(value)
            what = f"{self.name} cannot keep a value of type {kind.__module__}.{kind.__qualname__}."
            raise Unstorable(what, detail=repr(error)) from error
        pickled = written.getvalue()
        return join_buffers(pickled, large) if large else (pickled,)

    def loads(self, data: Bytes, allowed: Allowed | None) -> object:
        """Unpickle; this runs what is in the bytes."""
        pickled, large = split_buffers(data)
        return self.load(pickled, large, allowed)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: object) -> Reduced:
        return _reduce_foreign_array(value)


def _pickle(value: object, written: io.BytesIO, buffers: BufferCallback) -> None:
    _Pickler(written, _PROTOCOL, buffer_callback=buffers).dump(value)


def _cloudpickle(value: object, written: io.BytesIO, buffers: BufferCallback) -> None:
    _cloudpickler()(written, _PROTOCOL, buffer_callback=buffers).dump(value)


@cache
def _cloudpickler() -> type[pickle.Pickler]:
    import cloudpickle  # type: ignore[import-untyped]  # it ships no types

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # as above
        def reducer_override(self, value: object) -> Reduced:
            known = reduce_class(value)
            if known is not None:
                return known
            reduced = _reduce_foreign_array(value)
            return super().reducer_override(value) if reduced is _UNCHANGED else reduced

    return Pickler


def _dill(value: object, written: io.BytesIO, buffers: BufferCallback) -> None:
    del buffers  # it keeps arrays in its own way
    import dill

    def reduce(part: object) -> Reduced:
        return reduce_class(part) or _reduce_array(part)

    pickler = dill.Pickler(written, _PROTOCOL)
    pickler.reducer_override = reduce
    pickler.dump(value)


def _undill(data: Bytes, buffers: Sequence[memoryview], allowed: Allowed | None) -> object:
    """Make a value of dill's pickle: the names of a script stand in it in dill's own way."""
    if allowed is not None:
        return unpickle(data, buffers, allowed)
    import dill

    unpickler = dill.Unpickler(io.BytesIO(data), buffers=buffers)  # noqa: S301 - as in `unpickle`
    return cast("object", unpickler.load())


def _reduce_foreign_array(value: object) -> Reduced:
    """Reduce an array that numpy would turn to this machine's order of bytes: not native, not contiguous."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return _UNCHANGED
    array = cast("ndarray", value)
    return _UNCHANGED if array.dtype.isnative or array.flags.forc else _reduce_array(array)


def _reduce_array(value: object) -> Reduced:
    """Reduce an array as numpy does for protocol 5, with its own order of bytes."""
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return _UNCHANGED
    array = cast("ndarray", value)
    if array.dtype.hasobject:
        return _UNCHANGED
    contiguous = array if array.flags.forc else array.copy()
    return cast("Reduced", contiguous.__reduce_ex__(_PROTOCOL))


PICKLE = Pickling("pickle", _pickle)
CLOUDPICKLE = Pickling("cloudpickle", _cloudpickle)
DILL = Pickling("dill", _dill, _undill)

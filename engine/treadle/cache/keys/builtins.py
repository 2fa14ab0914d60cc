"""Encodings of numbers, text, bytes and containers."""

from __future__ import annotations

import math
import struct
from collections import OrderedDict, defaultdict, deque
from collections.abc import Mapping, Sequence
from types import EllipsisType, MappingProxyType, NoneType, NotImplementedType, SimpleNamespace
from typing import Any

from treadle.cache.keys.digest import Digest
from treadle.cache.keys.encoding import ENCODERS, Encoding, Refused

_pack = struct.Struct("<d").pack


def _none(_: None, encoding: Encoding) -> None:
    encoding.parts.append(b"N")


def _bool(value: bool, encoding: Encoding) -> None:
    encoding.parts.append(b"T" if value else b"F")


def _int(value: int, encoding: Encoding) -> None:
    size = (value.bit_length() + 8) // 8
    encoding.parts.append(b"i" + size.to_bytes(8, "little") + value.to_bytes(size, "little", signed=True))


def float_bytes(value: float) -> bytes:
    """Return the bits of a float; all that are no number are one."""
    return b"nan-----" if math.isnan(value) else _pack(value)


def _float(value: float, encoding: Encoding) -> None:
    encoding.parts.append(b"f" + float_bytes(value))


def _complex(value: complex, encoding: Encoding) -> None:
    encoding.parts.append(b"c" + float_bytes(value.real) + float_bytes(value.imag))


def _str(value: str, encoding: Encoding) -> None:
    data = value.encode("utf-8", "surrogatepass")
    encoding.parts.append(b"s" + len(data).to_bytes(8, "little") + data)


def _bytes(value: bytes, encoding: Encoding) -> None:
    encoding.add_bytes(b"b", value)


def _bytearray(value: bytearray, encoding: Encoding) -> None:
    encoding.add_bytes(b"B", bytes(value))


def _memoryview(value: memoryview, encoding: Encoding) -> None:
    encoding.add_text(b"m", value.format)
    encoding.add((value.shape, value.tobytes()))


def _digest(value: Digest, encoding: Encoding) -> None:
    encoding.parts.append(b"\0" + value.raw)


def encode_sequence(tag: bytes, value: Sequence[Any] | deque[Any], encoding: Encoding) -> None:
    """Add a sequence of a kind: its length, then its items."""
    with encoding.inside(value):
        encoding.parts.append(tag)
        encoding.add_number(len(value))
        for index, item in enumerate(value):
            encoding.add_part(item, f"[{index}]")


def _list(value: list[Any], encoding: Encoding) -> None:
    encode_sequence(b"l", value, encoding)


def _tuple(value: tuple[Any, ...], encoding: Encoding) -> None:
    encode_sequence(b"t", value, encoding)


def _deque(value: deque[Any], encoding: Encoding) -> None:
    encoding.parts.append(b"q")
    encoding.add(value.maxlen)
    encode_sequence(b"l", value, encoding)


def encode_mapping(tag: bytes, value: Mapping[Any, Any], encoding: Encoding) -> None:
    """Add a mapping of a kind, in the order of its keys' digests."""
    pairs: list[bytes] = []
    with encoding.inside(value):
        for key, item in value.items():
            try:
                pairs.append(encoding.raw_digest(key) + encoding.raw_digest(item))
            except Refused as refused:
                raise refused.within(f"[{key!r:.40}]") from None
    encoding.add_digests(tag, sorted(pairs))


def _dict(value: dict[Any, Any], encoding: Encoding) -> None:
    encode_mapping(b"d", value, encoding)


def _ordered_dict(value: OrderedDict[Any, Any], encoding: Encoding) -> None:
    with encoding.inside(value):
        encoding.parts.append(b"o")
        encoding.add(list(value.items()))


def _defaultdict(value: defaultdict[Any, Any], encoding: Encoding) -> None:
    encoding.parts.append(b"D")
    encoding.add_part(value.default_factory, ".default_factory")
    encode_mapping(b"d", value, encoding)


def _mappingproxy(value: MappingProxyType[Any, Any], encoding: Encoding) -> None:
    encode_mapping(b"p", value, encoding)


def _namespace(value: SimpleNamespace, encoding: Encoding) -> None:
    encode_mapping(b"n", vars(value), encoding)


def encode_set(tag: bytes, value: set[Any] | frozenset[Any], encoding: Encoding) -> None:
    """Add a set of a kind, in the order of its members' digests."""
    members: list[bytes] = []
    for member in value:
        try:
            members.append(encoding.raw_digest(member))
        except Refused as refused:
            raise refused.within(f"[{member!r:.40}]") from None
    encoding.add_digests(tag, sorted(members))


def _set(value: set[Any], encoding: Encoding) -> None:
    encode_set(b"S", value, encoding)


def _frozenset(value: frozenset[Any], encoding: Encoding) -> None:
    encode_set(b"Z", value, encoding)


def _range(value: range, encoding: Encoding) -> None:
    """Ranges are equal if they yield the same numbers."""
    encoding.parts.append(b"r")
    first_two = tuple(value[:2])
    encoding.add((len(value), *first_two))


def _slice(value: slice, encoding: Encoding) -> None:
    encoding.parts.append(b":")
    encoding.add((value.start, value.stop, value.step))


def _ellipsis(_: EllipsisType, encoding: Encoding) -> None:
    encoding.parts.append(b".")


def _not_implemented(_: NotImplementedType, encoding: Encoding) -> None:
    encoding.parts.append(b"!")


def encode_attributes(value: object, encoding: Encoding) -> None:
    """Add what an instance of a subclass has beside its content."""
    slots = [slot for base in type(value).__mro__ for slot in _slots(base) if hasattr(value, slot)]
    named = {slot: getattr(value, slot) for slot in slots}
    encoding.add_part({**named, **getattr(value, "__dict__", {})}, ".__dict__")


def _slots(base: type) -> tuple[str, ...]:
    slots = vars(base).get("__slots__", ())
    return tuple(
        slot for slot in ((slots,) if isinstance(slots, str) else slots) if not slot.startswith("__")
    )


ENCODERS.update(
    {
        NoneType: _none,
        bool: _bool,
        int: _int,
        float: _float,
        complex: _complex,
        str: _str,
        bytes: _bytes,
        bytearray: _bytearray,
        memoryview: _memoryview,
        Digest: _digest,
        list: _list,
        tuple: _tuple,
        deque: _deque,
        dict: _dict,
        OrderedDict: _ordered_dict,
        defaultdict: _defaultdict,
        MappingProxyType: _mappingproxy,
        SimpleNamespace: _namespace,
        set: _set,
        frozenset: _frozenset,
        range: _range,
        slice: _slice,
        EllipsisType: _ellipsis,
        NotImplementedType: _not_implemented,
    }
)

SCALARS: tuple[type, ...] = (int, float, complex, str, bytes, bytearray)
CONTAINERS: tuple[type, ...] = (OrderedDict, defaultdict, dict, list, tuple, deque, set, frozenset)
"""Types whose subclasses are told by class, content and attributes; the most special ones first."""

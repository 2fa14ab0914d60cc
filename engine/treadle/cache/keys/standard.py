"""Encodings of the standard library's values: times, paths, exact numbers, enumerations, addresses."""

from __future__ import annotations

import datetime
import ipaddress
import re
import uuid
from array import array
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from treadle.cache.keys.encoding import ENCODERS, Encoder, Encoding, Refused


def encode_enum(value: Enum, encoding: Encoding) -> None:
    """Add a member of an enumeration: its class and its value, which flags may have without a name."""
    encoding.add_class(b"e", type(value))
    encoding.add_part(value.value, ".value")


def _decimal(value: Decimal, encoding: Encoding) -> None:
    """Digits and exponent: 1.0 and 1.00 round differently."""
    encoding.add_text(b"$", str(value))


def _fraction(value: Fraction, encoding: Encoding) -> None:
    encoding.parts.append(b"/")
    encoding.add((value.numerator, value.denominator))


def _uuid(value: uuid.UUID, encoding: Encoding) -> None:
    encoding.parts.append(b"U" + value.bytes)


def _path(value: PurePath, encoding: Encoding) -> None:
    """The path as text; what it leads to does not count. Pure and concrete paths are equal."""
    encoding.add_text(b"P" if isinstance(value, PurePosixPath) else b"W", str(value))


def _date(value: datetime.date, encoding: Encoding) -> None:
    encoding.add_text(b"Y", value.isoformat())


def _datetime(value: datetime.datetime, encoding: Encoding) -> None:
    encoding.add_text(b"M", value.replace(tzinfo=None).isoformat())
    encoding.parts.append(bytes([value.fold]))
    _zone(value.tzinfo, value.utcoffset(), encoding)


def _time(value: datetime.time, encoding: Encoding) -> None:
    encoding.add_text(b"H", value.replace(tzinfo=None).isoformat())
    encoding.parts.append(bytes([value.fold]))
    _zone(value.tzinfo, value.utcoffset(), encoding)


def _zone(zone: datetime.tzinfo | None, offset: datetime.timedelta | None, encoding: Encoding) -> None:
    """Add a zone: the offset from UTC, and the name where it has rules of its own."""
    if zone is None:
        encoding.add(None)
    elif isinstance(zone, ZoneInfo):
        if zone.key is None:
            raise Refused("its time zone has no name").within(".tzinfo")
        encoding.add((zone.key, offset))
    elif isinstance(zone, datetime.timezone):
        encoding.add(offset)
    else:
        encoding.add_class(b"z", type(zone))
        encoding.add((str(zone), offset))


def _timezone(value: datetime.timezone, encoding: Encoding) -> None:
    encoding.parts.append(b"Q")
    encoding.add((value.utcoffset(None), value.tzname(None)))


def _zoneinfo(value: ZoneInfo, encoding: Encoding) -> None:
    if value.key is None:
        raise Refused("it is a time zone without a name")
    encoding.add_text(b"O", value.key)


def _timedelta(value: datetime.timedelta, encoding: Encoding) -> None:
    encoding.parts.append(b"E")
    encoding.add((value.days, value.seconds, value.microseconds))


def _pattern(value: re.Pattern[Any], encoding: Encoding) -> None:
    encoding.parts.append(b"x")
    encoding.add((value.pattern, value.flags))


def _array(value: array[Any], encoding: Encoding) -> None:
    encoding.add_text(b"A", value.typecode)
    encoding.add(value.tolist())


def _address(value: Any, encoding: Encoding) -> None:
    encoding.add_class(b"I", type(value))
    encoding.add(str(value))


BASES: tuple[tuple[type, Encoder], ...] = (
    (PurePath, _path),
    (ZoneInfo, _zoneinfo),
)
"""Types whose subclasses are encoded alike."""

ENCODERS.update(
    {
        Decimal: _decimal,
        Fraction: _fraction,
        uuid.UUID: _uuid,
        datetime.date: _date,
        datetime.datetime: _datetime,
        datetime.time: _time,
        datetime.timedelta: _timedelta,
        datetime.timezone: _timezone,
        re.Pattern: _pattern,
        array: _array,
        **dict.fromkeys(
            (
                ipaddress.IPv4Address,
                ipaddress.IPv6Address,
                ipaddress.IPv4Network,
                ipaddress.IPv6Network,
                ipaddress.IPv4Interface,
                ipaddress.IPv6Interface,
            ),
            _address,
        ),
    }
)

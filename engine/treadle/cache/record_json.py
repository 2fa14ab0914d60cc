"""Records as JSON text: no reader of a record ever runs what somebody else wrote into it.

JSON has no bytes, one kind of number and no lone surrogates, so every atom stands under the name of its type:
floats by their bits, large integers in hexadecimal, bytes and unpaired surrogates in base64.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from treadle.cache.damage import Damaged, WrittenByNewer
from treadle.cache.keys.digest import Digest
from treadle.cache.records import FORMAT, Argument, Atom, CallRecord, Inline, Kept, Outcome, Stored
from treadle.errors import Unstorable

if TYPE_CHECKING:
    from pydantic import JsonValue

_Pair = list[object]
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_DOUBLE = struct.Struct(">d")
_PLAIN_INTEGERS = 1 << 53  # any reader of JSON has these; Python refuses decimals of more than 4300 digits


def encode_record(record: CallRecord) -> bytes:
    """Write a record as one line of JSON.

    Raises:
        Unstorable: Its metadata are no JSON values.
    """
    document = {
        "format": FORMAT,
        "scheme": record.scheme,
        "key": record.key,
        "name": record.name,
        "module": record.module,
        "version": record.version,
        "code": record.code,
        "arguments": [[one.name, one.key, encode_kept(one.value)] for one in record.arguments],
        "result": encode_kept(record.result),
        "result_key": record.result_key,
        "outcome": record.outcome,
        "created": record.created,
        "metadata": record.metadata if type(record.metadata) is dict else dict(record.metadata),
        "provenance": record.provenance,
    }
    try:
        return _ENCODER.encode(document).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unstorable(f"The metadata of a call of {record.name} are no JSON values: {error}.") from error


def decode_record(data: bytes) -> CallRecord:
    """Read what `encode_record` wrote.

    Raises:
        Damaged: It is no such text.
        WrittenByNewer: It has a higher format.
    """
    try:
        document = json.loads(data.decode())
        if document["format"] > FORMAT:
            raise WrittenByNewer(f"A record has format {document['format']}; this Treadle reads {FORMAT}.")
        result = decode_kept(document["result"])
        if result is None:
            raise Damaged("A record has no result.")
        return CallRecord(
            key=Digest.parse(document["key"]),
            name=_text(document["name"]),
            module=_text_or_none(document["module"]),
            version=_version(document["version"]),
            code=_digest_or_none(document["code"]),
            arguments=tuple(_argument(one) for one in document["arguments"]),
            result=result,
            result_key=_digest_or_none(document["result_key"]),
            outcome=Outcome(document["outcome"]),
            created=float(document["created"]),
            metadata=_object(document["metadata"]),
            scheme=_text(document["scheme"]),
            provenance=_text(document["provenance"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise Damaged(f"A record cannot be read: {error!r}.") from error


def encode_kept(kept: Kept | None) -> _Pair | None:
    """Write what is kept of a value as JSON: its type and text; None for None."""
    if kept is None:
        return None
    if isinstance(kept, Stored):
        return ["stored", kept.digest]
    return _encode_atom(kept.value)


def decode_kept(pair: object) -> Kept | None:
    """Read what `encode_kept` wrote.

    Raises:
        ValueError: It is nothing of the kind.
    """
    if pair is None:
        return None
    if not isinstance(pair, list) or not pair:
        raise ValueError(f"no kept value: {pair!r}")
    if pair[0] == "stored":
        return Stored(Digest.parse(_text(pair[1])))
    if pair[0] not in _ATOMS:
        raise ValueError(f"no type of value: {pair[0]!r}")
    return Inline(_ATOMS[pair[0]](*pair[1:]))


def _encode_atom(value: Atom) -> _Pair:
    if value is None:
        return ["None"]
    if isinstance(value, str):
        return _encode_text(value)
    if isinstance(value, float):
        return ["float", _DOUBLE.pack(value).hex()]
    if isinstance(value, bytes):
        return ["bytes", _base64(value)]
    if isinstance(value, bool):
        return ["bool", value]
    return ["int", value if -_PLAIN_INTEGERS < value < _PLAIN_INTEGERS else hex(value)]


def _encode_text(value: str) -> _Pair:
    try:
        value.encode()
    except UnicodeEncodeError:
        return ["surrogates", _base64(value.encode("utf-8", "surrogatepass"))]
    return ["str", value]


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"no truth value: {value!r}")
    return value


def _int(value: object) -> int:
    if isinstance(value, str):
        return int(value, 16)
    if type(value) is not int:
        raise TypeError(f"no integer: {value!r}")
    return value


def _float(value: object) -> float:
    (number,) = _DOUBLE.unpack(bytes.fromhex(_text(value)))
    return cast("float", number)


def _bytes(value: object) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _surrogates(value: object) -> str:
    return _bytes(value).decode("utf-8", "surrogatepass")


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"no text: {value!r}")
    return value


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _digest_or_none(value: object) -> Digest | None:
    return None if value is None else Digest.parse(_text(value))


def _version(value: object) -> int | str | None:
    if value is None or isinstance(value, str) or type(value) is int:
        return value
    raise TypeError(f"no version: {value!r}")


def _object(value: object) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise TypeError(f"no object: {value!r}")
    return value


def _argument(document: object) -> Argument:
    if not isinstance(document, list) or len(document) != 3:
        raise ValueError(f"no argument: {document!r}")
    name, key, kept = document
    return Argument(_text(name), Digest.parse(_text(key)), decode_kept(kept))


_ATOMS: Mapping[object, Callable[..., Atom]] = {
    "None": lambda: None,
    "bool": _bool,
    "int": _int,
    "float": _float,
    "str": _text,
    "surrogates": _surrogates,
    "bytes": _bytes,
}

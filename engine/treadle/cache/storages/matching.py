"""Whether a record is one that a template asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from treadle.cache.records import CallRecord
from treadle.cache.storages.ports import Template

if TYPE_CHECKING:
    from pydantic import JsonValue


def matches(record: CallRecord, template: Template) -> bool:
    """Whether a record has all that a template gives."""
    return (
        template.name in (None, record.name)
        and template.module in (None, record.module)
        and (template.version is None or _same(template.version, record.version))
        and template.code in (None, record.code)
        and template.result in (None, record.result_key)
        and _has_arguments(record, template.arguments)
        and _has(record.metadata, template.metadata)
    )


def _has_arguments(record: CallRecord, wanted: Mapping[str, str]) -> bool:
    if not wanted:
        return True
    keys = {argument.name: argument.key for argument in record.arguments}
    return all(keys.get(name) == key for name, key in wanted.items())


def _has(there: JsonValue | Mapping[str, JsonValue], wanted: JsonValue | Mapping[str, JsonValue]) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, Mapping):
        inner = there if isinstance(there, Mapping) else {}
        return all(_has(inner.get(name), value) for name, value in wanted.items())
    return _same(there, wanted)


def _same(one: object, other: object) -> bool:
    """Whether two JSON values are equal: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other

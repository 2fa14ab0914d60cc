"""Settings as people read them: value, source, meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from treadle.model.profile import LOCAL
from treadle.settings.values import Settings

_PASSWORD = re.compile(r"(?<=://)([^/:@\s]*):(?!\d+/)[^@\s]*@(?:[^/@\s]*@)*")
"""A number and a slash behind the colon are the port of a URL that has no password."""

_TOKEN = re.compile(r"(?<=p://|s://)[^/:@\s]+@")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as `treadle config show` prints it; secrets are masked."""

    name: str
    value: str
    source: str
    meaning: str


def describe(settings: Settings) -> list[SettingRow]:
    """Return every setting with its value, the source of that value and its meaning.

    A cluster has a row for each of its values, but for those that nobody set and that are empty; this machine
    has none.
    """
    rows = []
    for name, field in Settings.model_fields.items():
        if name != "clusters":
            value = getattr(settings, name)
            fallback = "argument" if name in settings.model_fields_set else "default"
            source = settings._sources.get(name, fallback)
            rows.append(SettingRow(name, _text(value), source, field.description or ""))
    for name, profile in settings.clusters.items():
        if profile.kind == LOCAL:
            continue
        rows += _cluster_rows(profile, f"clusters.{name}", settings)
    return rows


def masked(value: object) -> str:
    """Return a value as text, without the passwords and tokens that its URLs may carry."""
    if value is None:
        return ""
    return _TOKEN.sub("***@", _PASSWORD.sub(r"\1:***@", str(value)))


def _cluster_rows(table: BaseModel, place: str, settings: Settings) -> Iterator[SettingRow]:
    for name, field in type(table).model_fields.items():
        value, spelled = getattr(table, name), f"{place}.{name}"
        given = name in table.model_fields_set
        if isinstance(value, BaseModel):
            yield from _cluster_rows(value, spelled, settings)
        elif given or value not in (None, {}):
            source = settings._sources.get(spelled, "argument" if given else "default")
            yield SettingRow(spelled, _text(value), source, field.description or "")


def _text(value: object) -> str:
    if value == "":
        return '""'
    if isinstance(value, tuple):
        return "; ".join(filter(None, map(masked, value)))
    if isinstance(value, dict):
        return " ".join(f"{name}={text}" for name, text in value.items())
    return masked(value)

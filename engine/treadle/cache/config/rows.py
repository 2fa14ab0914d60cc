"""The configuration as people read it: every key, its value, and the file that says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from treadle.cache.config.fields import MASK, is_secret
from treadle.cache.config.files import DEFAULT_TABLE, read_configuration
from treadle.cache.config.loading import find_table
from treadle.cache.config.parsing import write_cache

_PARAMETER = re.compile(r"(?<=[?&]password=)[^&\s]*")
_PASSWORD = re.compile(r"(?<=://)([^/:@\s]*):[^@\s]*@(?:[^/@\s]*@)*")


@dataclass(frozen=True, slots=True)
class ConfigurationRow:
    """One key as `treadle config show` prints it; secrets are masked."""

    name: str
    value: str
    source: str


def describe_configuration(start: Path | None = None) -> list[ConfigurationRow]:
    """Return every key that counts, with the file it comes from.

    Args:
        start: Folder where the search begins; the working folder if None.

    Raises:
        SettingsInvalid: A file is broken.
    """
    configuration = read_configuration(start)
    rows = []
    for name, table in configuration.tables.items():
        source = str(configuration.places[name])
        rows += [ConfigurationRow(key, value, source) for key, value in flattened(table, name)]
    default = configuration.tables.get(DEFAULT_TABLE)
    if not (isinstance(default, Mapping) and "cache" in default):
        _, table = find_table(configuration)
        keys = flattened(write_cache(table), f"{DEFAULT_TABLE}.cache")
        rows += [ConfigurationRow(key, value, "default") for key, value in keys]
    return rows


def flattened(table: object, name: str) -> Iterator[tuple[str, str]]:
    """Yield every key of a table by its dotted name, with its value as text; secrets are masked."""
    if isinstance(table, Mapping):
        for key, value in table.items():
            shown = MASK if is_secret(key) else value
            yield from flattened(shown, f"{name}.{key}")
    elif isinstance(table, list) and any(isinstance(item, Mapping) for item in table):
        for at, item in enumerate(table):
            yield from flattened(item, f"{name}[{at}]")
    elif isinstance(table, list):
        yield name, " ".join(map(str, table))
    elif isinstance(table, bool):
        yield name, str(table).lower()
    else:
        yield name, without_password(str(table))


def without_password(url: str) -> str:
    """Return a URL without the password it may carry."""
    return _PARAMETER.sub(MASK, _PASSWORD.sub(rf"\1:{MASK}@", url))

"""Pages of the calls that a template asks for, the latest first.

A page costs one statement. It walks an index that is in the order wanted, that of whatever fewest calls have:
an argument, the result, or the function's name. SQLite keeps no figures of how many that are, so they are
counted, but only as far as it matters.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from treadle.cache.storages.ports import Template
from treadle.cache.storages.sql.database import Cursor, Database, Parameters
from treadle.cache.storages.sql.tables import RESULT

FIRST_PAGE = 32
LARGEST_PAGE = 1024

_ENOUGH = 1000
"""So many calls are walked through as fast as they are counted."""

_COUNT_FACET = """
SELECT count(*) FROM
(SELECT 1 FROM treadle_arguments WHERE name = :name AND digest = :digest LIMIT :enough) AS few
"""
_COUNT_NAME = "SELECT count(*) FROM (SELECT 1 FROM treadle_calls WHERE name = :name LIMIT :enough) AS few"

_BY_FACET = """
SELECT a.created, a.call, c.key, c.record FROM treadle_arguments a CROSS JOIN treadle_calls c
WHERE a.name = :facet AND a.digest = :digest AND c.id = a.call AND CONDITIONS
AND (a.created, a.call) < (:created, :id) ORDER BY a.created DESC, a.call DESC LIMIT :limit
"""
_BY_TIME = """
SELECT c.created, c.id, c.key, c.record FROM treadle_calls c
WHERE CONDITIONS AND (c.created, c.id) < (:created, :id) ORDER BY c.created DESC, c.id DESC LIMIT :limit
"""
_HAS_FACET = """
EXISTS (SELECT 1 FROM treadle_arguments b WHERE b.call = c.id AND b.name = :facet# AND b.digest = :digest#)
"""
_LAST_TIME, _LAST_ID = 1e300, 2**62


@dataclass(slots=True)
class _Wanted:
    """What a template asks for, as conditions and their parameters."""

    facets: list[tuple[str, bytes]]
    conditions: list[str] = field(default_factory=list)
    parameters: dict[str, int | float | str | bytes | None] = field(default_factory=dict)


def storable(text: str) -> str:
    """Return text as every database takes it; what is found by it is compared again."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "?").encode("utf-8", "replace").decode()


def version_text(version: int | str | None) -> str | None:
    """Return a function's version as text that keeps 1 and "1" apart."""
    return None if version is None else json.dumps(version)


class Finder:
    """Writes the statements for templates, each once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: dict[str, str] = {}

    def pages(self, template: Template) -> Iterator[list[tuple[bytes, bytes]]]:
        """Yield pages of keys and records that may match; metadata are not looked at.

        Raises:
            CacheUnavailable: The database cannot be read now.
        """
        wanted = _wanted(template)
        with self._database.reading() as cursor:
            facet = self._rarest(cursor, template.name, wanted.facets)
        words = self._words(wanted, facet)
        position: dict[str, float | int] = {"created": _LAST_TIME, "id": _LAST_ID}
        limit = FIRST_PAGE
        while True:
            with self._database.reading() as cursor:
                cursor.execute(words, {**wanted.parameters, **position, "limit": limit})
                rows = cursor.fetchall()
            yield [(key, record) for _, _, key, record in rows]
            if len(rows) < limit:
                return
            position = {"created": rows[-1][0], "id": rows[-1][1]}
            limit = min(limit * 4, LARGEST_PAGE)

    def _rarest(
        self, cursor: Cursor, name: str | None, facets: list[tuple[str, bytes]]
    ) -> tuple[str, bytes] | None:
        """Return the facet that fewest calls have; None if the function's name is rarer, or there is none."""
        if len(facets) + (name is not None) < 2:
            return facets[0] if facets else None
        rarest, fewest = None, _ENOUGH
        for facet, digest in facets:
            many: Parameters = {"name": facet, "digest": digest, "enough": fewest}
            cursor.execute(self._statement(_COUNT_FACET), many)
            (count,) = cursor.fetchone() or (0,)
            if count < fewest or rarest is None:
                rarest, fewest = (facet, digest), count
        if name is not None and fewest > 0:
            cursor.execute(self._statement(_COUNT_NAME), {"name": storable(name), "enough": fewest})
            (count,) = cursor.fetchone() or (0,)
            if count < fewest:
                return None
        return rarest

    def _words(self, wanted: _Wanted, first: tuple[str, bytes] | None) -> str:
        conditions = list(wanted.conditions)
        for number, (facet, digest) in enumerate(wanted.facets):
            if (facet, digest) == first:
                wanted.parameters.update({"facet": facet, "digest": digest})
                continue
            wanted.parameters.update({f"facet{number}": facet, f"digest{number}": digest})
            conditions.append(_HAS_FACET.replace("#", str(number)))
        words = _BY_TIME if first is None else _BY_FACET
        return self._statement(words.replace("CONDITIONS", " AND ".join(conditions) or "1 = 1"))

    def _statement(self, words: str) -> str:
        written = self._written.get(words)
        if written is None:
            written = self._written[words] = self._database.statement(words)
        return written


def _wanted(template: Template) -> _Wanted:
    facets = [(storable(name), digest.raw) for name, digest in template.arguments.items()]
    if template.result is not None:
        facets.append((RESULT, template.result.raw))
    wanted = _Wanted(facets)
    columns = {
        "name": None if template.name is None else storable(template.name),
        "module": None if template.module is None else storable(template.module),
        "version": version_text(template.version),
        "code": None if template.code is None else template.code.raw,
    }
    for column, value in columns.items():
        if value is not None:
            wanted.conditions.append(_EQUALS[column])
            wanted.parameters[column] = value
    return wanted


_EQUALS = {
    "name": "c.name = :name",
    "module": "c.module = :module",
    "version": "c.version = :version",
    "code": "c.code = :code",
}

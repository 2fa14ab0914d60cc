"""How much of Prefect's database is in use, for tests of what runs leave behind in it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatabaseUse:
    """What is in Prefect's SQLite file.

    Attributes:
        used_bytes: Pages in use, the free ones left out.
        tables: Bytes of the rows of each table, its indexes included.
    """

    used_bytes: int
    tables: dict[str, int]

    def grown(self, before: DatabaseUse) -> dict[str, int]:
        """By how much the rows of each table have grown, those that have; the largest first."""
        growth = {name: size - before.tables.get(name, 0) for name, size in self.tables.items()}
        return {name: size for name, size in sorted(growth.items(), key=lambda pair: -pair[1]) if size > 0}


def database_use(file: Path) -> DatabaseUse:
    """Look into Prefect's database, while its server uses it."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        [(pages,)] = database.execute("PRAGMA page_count").fetchall()
        [(free,)] = database.execute("PRAGMA freelist_count").fetchall()
        [(size,)] = database.execute("PRAGMA page_size").fetchall()
        rows = database.execute(
            "SELECT coalesce(known.tbl_name, part.name), sum(part.payload) FROM dbstat AS part "
            "LEFT JOIN sqlite_master AS known ON known.name = part.name GROUP BY 1"
        )
        return DatabaseUse((pages - free) * size, dict(rows.fetchall()))

"""Connections to SQLite files of fleche's, which leave nothing beside them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote


def read_sqlite(file: Path) -> sqlite3.Connection:
    """Open a file that may lie where nothing can be written, and leave nothing beside it.

    Whoever reads a database in WAL mode creates two files, unless a writer has them open already. While there
    is no writer the file does not change, and can be read as one that never does.
    """
    at_rest = _is_in_wal_mode(file) and not file.with_name(f"{file.name}-wal").exists()
    mode = "immutable=1" if at_rest else "mode=ro"
    return sqlite3.connect(f"file:{quote(str(file))}?{mode}", uri=True, check_same_thread=False)


def _is_in_wal_mode(file: Path) -> bool:
    """Whether its header says so; https://sqlite.org/fileformat2.html section 1.3.3."""
    try:
        with file.open("rb") as opened:
            return opened.read(20)[18:] == b"\x02\x02"
    except OSError:
        return False

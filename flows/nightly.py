"""Nightly upkeep as a site extends it: what the engine does each night, then a copy of the ledger.

`treadle up` has the engine's own part as the deployment "Upkeep/nightly": it looks for plugins, removes
environments that nothing needs, gives back the space of deleted rows and refreshes the database's statistics.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from prefect import flow, task

from treadle.runs.flows.upkeep import upkeep
from treadle.settings import load_settings


@task
def copy_ledger(folder: Path, keep: int) -> Path | None:
    """Copy a SQLite ledger while others use it, and forget the oldest copies; None on PostgreSQL."""
    settings = load_settings()
    if settings.ledger_url is not None:
        return None  # the database server has its own means
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"ledger-{datetime.now(UTC):%Y-%m-%d}.sqlite"
    with (
        closing(sqlite3.connect(settings.home / "ledger.sqlite")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    copy.chmod(0o600)
    for old in sorted(folder.glob("ledger-*.sqlite"))[:-keep]:
        old.unlink()
    return copy


@flow(name="nightly upkeep")
def nightly(keep_days: int = 30, copies: str = "", keep_copies: int = 7) -> list[str]:
    """Put the installation in order.

    Args:
        keep_days: How many days environments are kept that nothing needs.
        copies: Folder for copies of the ledger; `copies` in Treadle's home folder if empty.
        keep_copies: How many copies are kept.
    """
    done = upkeep(keep_days)
    copy = copy_ledger(Path(copies).expanduser() if copies else load_settings().home / "copies", keep_copies)
    return [
        *done,
        f"The ledger is copied to {copy}." if copy else "The ledger is copied by its database server.",
    ]


if __name__ == "__main__":
    print("\n".join(nightly()))

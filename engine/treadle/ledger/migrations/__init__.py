"""The ledger's schema over time. Alembic is loaded only where a schema is behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from treadle.errors import LedgerError, SchemaTooNew

if TYPE_CHECKING:
    from alembic.config import Config

HEAD = "0005"
"""The revision that this version of Treadle works with."""

VERSION_TABLE = "ledger_version"
"""Not alembic's default name, which the ledger of another program, such as Prefect, has too."""


def schema_is_current(connection: Connection, place: str) -> bool:
    """Whether the database has this version's schema; False for an older one or none.

    Raises:
        SchemaTooNew: It has a schema that this version does not know.
        LedgerError: It holds tables, but not a ledger's.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE not in tables:
        if tables:
            raise LedgerError(
                f"{place} is not a ledger: it holds another program's tables.",
                remedy="Set TREADLE_LEDGER_URL to a database of Treadle's own.",
            )
        return False
    version = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    if version == HEAD:
        return True
    if version in _revisions():
        return False
    raise SchemaTooNew(
        f"The ledger {place} has schema {version}, written by a newer Treadle; this one knows up to {HEAD}.",
        remedy="Use the newer Treadle, or another TREADLE_HOME.",
    )


def upgrade(connection: Connection) -> None:
    """Bring the schema up to `HEAD` within the connection's transaction."""
    from alembic import command

    config = _configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)


def _revisions() -> frozenset[str]:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(_configuration())
    return frozenset(revision.revision for revision in script.walk_revisions())


def _configuration() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config

"""How Prefect's transactions start in our server's SQLite: they wait for their turn instead of failing.

Prefect begins most of them deferred. One that has read and then writes is refused at once when another wrote
in between, whatever the busy timeout (https://sqlite.org/lang_transaction.html), and the request is answered
with 503. One that begins with the lock to write waits for it. Reads outside of transactions are held up by
neither.
"""

from __future__ import annotations

from typing import Any

from prefect.server.database.configurations import AioSqliteConfiguration
from prefect.server.database.dependencies import MODELS_DEPENDENCIES


class WaitingSqlite(AioSqliteConfiguration):
    """Prefect's SQLite, in which every transaction begins with the lock to write."""

    def begin_transaction(self, session: Any, with_for_update: bool = True) -> Any:  # noqa: ARG002
        """Begin a transaction that may write, once those before it have ended."""
        return super().begin_transaction(session, with_for_update=True)


def let_transactions_wait(connection_url: str) -> None:
    """Have Prefect's server use such a database; to be called before anything of it asks for one."""
    MODELS_DEPENDENCIES["database_config"] = WaitingSqlite(connection_url=connection_url)

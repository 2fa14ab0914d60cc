"""The durable truth: tables, migrations and the queries. SQLite by default, PostgreSQL for a site."""

from treadle.ledger.database import Ledger, Transaction, sqlite_url

__all__ = ["Ledger", "Transaction", "sqlite_url"]

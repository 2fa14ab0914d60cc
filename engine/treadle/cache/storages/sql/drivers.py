"""What a driver of one kind of database is to the cache, which has no other word for what they differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

Parameters: TypeAlias = Mapping[str, int | float | str | bytes | None]
"""What goes into a statement, by name."""


class Cursor(Protocol):
    """What executes statements; rows are as untyped as the driver has them."""

    rowcount: int

    def execute(self, statement: str, parameters: Parameters = ..., /) -> object:
        """Execute a statement that `Database.statement` has written."""
        ...

    def executemany(self, statement: str, parameters: Sequence[Parameters], /) -> object:
        """Execute it for each of these."""
        ...

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row, if there is one."""
        ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return the rows that are left."""
        ...


class Connection(Protocol):
    """A connection on which every statement stands for itself unless a transaction is begun."""

    def cursor(self) -> Any:
        """Return a `Cursor`; drivers declare more of theirs."""
        ...

    def commit(self) -> object:
        """Keep what the transaction did."""
        ...

    def rollback(self) -> object:
        """Undo what the transaction did, if there is one."""
        ...

    def close(self) -> object:
        """End it."""
        ...


class Driver(Protocol):
    """A kind of database.

    Attributes:
        dialect: `sqlite` or `postgresql`.
        place: The file, or the URL without its password, as errors name it.
        is_shared: Whether it is a file that other machines may write to as well.
        is_single: Whether there is only one connection, which one thread at a time uses and nobody closes.
        failures: What its trouble is raised as.
        begin: Begins a transaction that will write.
        has_schema: Counts the tables named `treadle_schema`.
    """

    @property
    def dialect(self) -> str: ...  # noqa: D102  (described above, as those below)
    @property
    def place(self) -> str: ...  # noqa: D102
    @property
    def is_shared(self) -> bool: ...  # noqa: D102
    @property
    def is_single(self) -> bool: ...  # noqa: D102
    @property
    def failures(self) -> tuple[type[Exception], ...]: ...  # noqa: D102
    @property
    def begin(self) -> str: ...  # noqa: D102
    @property
    def has_schema(self) -> str: ...  # noqa: D102

    def connect(self) -> Connection:
        """Open a connection."""
        ...

    def is_usable(self, connection: Connection, *, age: float, idle: float) -> bool:
        """Whether a connection that was open for so many seconds, and unused for so many, may be used on."""
        ...

    def written(self, words: str) -> str:
        """Write a statement down as the database takes it; see `Database.statement`."""
        ...

    def prepare_schema(self, connection: Connection) -> None:
        """Do what has to be done before the first tables are made."""
        ...

    def lock_schema(self, cursor: Cursor) -> None:
        """Let nobody else make tables before the transaction ends."""
        ...

    def forget(self) -> None:
        """Leave connections to the process that this one is a fork of."""
        ...

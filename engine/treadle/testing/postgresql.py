"""A PostgreSQL server of the tests' own, which nobody else can reach."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

USER = "treadle"
START_SECONDS = 60.0

_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""What a server may do whose data nobody wants after a crash."""


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server.

    Attributes:
        folder: Where its socket is; it has no port.
        password: Its only user's.
    """

    folder: Path
    password: str = field(repr=False)

    def url(self, database: str) -> str:
        """Return a database's URL, as the setting `ledger_url` takes it."""
        return f"postgresql+psycopg://{USER}:{self.password}@/{database}?host={self.folder}"

    def create(self, database: str, *, template: str = "template0") -> str:
        """Create a database, empty or a copy of one that nobody uses now, and return its URL."""
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(database), sql.Identifier(template)
            )
        )
        return self.url(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def execute(self, statement: sql.Composed | sql.SQL, *, database: str = "postgres") -> None:
        """Execute one statement past the code under test."""
        with psycopg.connect(
            host=str(self.folder), user=USER, password=self.password, dbname=database, autocommit=True
        ) as connection:
            connection.execute(statement)


def postgresql_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version where Debian has several."""
    versions = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(versions, key=lambda program: float(program.parts[-3]), default=None)
    found = newest or shutil.which("postgres")
    return Path(found).resolve().parent if found else None


@contextmanager
def postgresql_server(programs: Path) -> Iterator[PostgresqlServer]:
    """Start a server on a new folder, as the user `postgres` where root calls; stop it and remove all after.

    Args:
        programs: What `postgresql_programs` returns.

    Raises:
        AssertionError: It did not start; the text is its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="treadle-postgresql-"))
    try:
        server = PostgresqlServer(folder, secrets.token_urlsafe(16))
        data = _make_cluster(programs, server)
        settings = {"listen_addresses": "", "unix_socket_directories": str(folder), **_CARELESS}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [*_as_its_user("--pdeathsig=QUIT"), str(programs / "postgres"), "-D", str(data), *words],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            _wait_until_it_answers(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
            process.wait()
    finally:
        shutil.rmtree(folder)


def _make_cluster(programs: Path, server: PostgresqlServer) -> Path:
    secret = server.folder / "password"
    secret.touch(0o600)
    secret.write_text(server.password)
    if os.geteuid() == 0:
        for path in (server.folder, secret):
            shutil.chown(path, "postgres", "postgres")
    data = server.folder / "data"
    options = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--encoding=UTF8"]
    done = subprocess.run(
        [*_as_its_user(), str(programs / "initdb"), *options, "--no-locale", "--no-sync", "-D", str(data)],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=server.folder,
    )
    assert done.returncode == 0, done.stdout
    return data


def _as_its_user(*options: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    user = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *user, *options] if user or options else []


def _wait_until_it_answers(server: PostgresqlServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server):
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, (server.folder / "server.log").read_text()
        time.sleep(0.02)


def _answers(server: PostgresqlServer) -> bool:
    try:
        server.execute(sql.SQL("SELECT 1"))
    except psycopg.OperationalError:
        return False
    return True

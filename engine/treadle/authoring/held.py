"""What this process keeps open from one call to the next: the ledger, the server, clusters.

In a script or a notebook many small runs follow one another; each finds all of it ready. It ends with the
process, a cluster soon after its last use.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treadle.authoring.session import Session
from treadle.clusters.port import ANY_RESOURCES, Cluster, JobBook, JobOver, JobStarted, Pool
from treadle.errors import UsageError
from treadle.model.resources import Resources

if TYPE_CHECKING:
    from treadle.api import Server
    from treadle.settings import Settings

IDLE_SECONDS = 60.0
"""How long a cluster that nobody uses stays open."""

_lock = threading.RLock()
_sessions: dict[tuple[Path, str | None], tuple[Session, ExitStack]] = {}
_servers: dict[Path, ExitStack] = {}
_clusters: dict[tuple[Path, str], _HeldCluster] = {}


def session() -> Session:
    """Return the settings as they now are, and the ledger that they name.

    Raises:
        UsageError: This process is a worker, which has imported a module that starts something.
        SettingsInvalid: A setting is wrong.
        StorageFull: The home folder cannot be made or written.
        LedgerError: The ledger cannot be opened.
    """
    from treadle.execute.worker import is_worker
    from treadle.ledger import Ledger, sqlite_url
    from treadle.settings import load_settings

    if is_worker():
        raise UsageError(
            "A worker has imported a module that runs, stores or looks up something as it is imported.",
            remedy='Do that below the line: if __name__ == "__main__":',
        )
    settings = load_settings()
    key = (settings.home, settings.ledger_url)
    with _lock:
        if key not in _sessions:
            settings.create_home()
            stack = ExitStack()
            url = settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")
            _sessions[key] = Session(settings, stack.enter_context(Ledger(url))), stack
        return Session(settings, _sessions[key][0].ledger)


def server(settings: Settings) -> Server:
    """Return the home's server, started if none runs; Prefect's client in this process speaks with it.

    Raises:
        ServerError: It did not start.
        StorageFull: The server's folder may not be written.
    """
    from treadle.api import local_server
    from treadle.authoring.here import point_prefect_at

    with _lock:
        stack = ExitStack()
        found = stack.enter_context(local_server(settings))
        before, _servers[settings.home] = _servers.get(settings.home), stack
        if before is not None:
            before.close()
        point_prefect_at(found)
        return found


@contextmanager
def cluster(name: str, settings: Settings) -> Iterator[Cluster]:
    """Use the cluster of that name, opened if this process has not; several runs may use it at once.

    Each run names its book of jobs to it; a job belongs to the last of the runs that still use it.

    Raises:
        UnknownName: There is no cluster of that name.
        WorkersUnavailable: No worker could come up.
    """
    key = (settings.home, name)
    with _lock:
        held = _clusters.setdefault(key, _HeldCluster(name, settings))
        opened = held.enter()
    user = _User(opened, held.books)
    try:
        yield user
    finally:
        user.leave()
        held.leave()


def close() -> None:
    """Close all that is held; what is used again is opened again."""
    with _lock:
        for held in _clusters.values():
            held.close()
        _clusters.clear()
        for stack in _servers.values():
            stack.close()
        _servers.clear()
        for _, stack in _sessions.values():
            stack.close()
        _sessions.clear()


atexit.register(close)


class _Books:
    """The books of jobs of the runs that use a cluster; implements `JobBook`.

    A job is written down where it was when it started, also when it ends after the run.
    """

    def __init__(self) -> None:
        self._open: list[JobBook] = []
        self._started: dict[str, JobBook] = {}

    def add(self, book: JobBook) -> None:
        """Write down jobs here from now on."""
        self._open.append(book)

    def remove(self, book: JobBook) -> None:
        """Write down no new job here."""
        self._open.remove(book)

    def started(self, job: JobStarted) -> None:
        """See `JobBook`."""
        if self._open:
            book = self._started[job.id] = self._open[-1]
            book.started(job)

    def over(self, job: JobOver) -> None:
        """See `JobBook`."""
        book = self._started.pop(job.id, None)
        if book is not None:
            book.over(job)


class _User:
    """A cluster as one of its users sees it; implements `Cluster`, but for its life."""

    def __init__(self, cluster: Cluster, books: _Books) -> None:
        self._cluster = cluster
        self._books = books
        self._own: list[JobBook] = []

    @property
    def name(self) -> str:
        """See `Cluster`."""
        return self._cluster.name

    @property
    def slots(self) -> int:
        """See `Cluster`."""
        return self._cluster.slots

    def pool(self, resources: Resources = ANY_RESOURCES) -> Pool:
        """See `Cluster`."""
        return self._cluster.pool(resources)

    def report_to(self, book: JobBook) -> None:
        """See `Cluster`."""
        self._books.add(book)
        self._own.append(book)

    def leave(self) -> None:
        """Have nothing more written down for this user."""
        for book in self._own:
            self._books.remove(book)

    def __enter__(self) -> Self:
        """See `Cluster`; it is open already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `Cluster`; it stays open."""


class _HeldCluster:
    """A cluster with the number of its users; open while there are any, and for a while after."""

    def __init__(self, name: str, settings: Settings) -> None:
        self._name = name
        self._settings = settings
        self.books = _Books()
        self._users = 0
        self._stack: ExitStack | None = None
        self._cluster: Cluster | None = None
        self._timer: threading.Timer | None = None

    def enter(self) -> Cluster:
        from treadle.clusters import open_cluster

        if self._timer is not None:
            self._timer.cancel()
        if self._cluster is None or self._stack is None:
            stack = ExitStack()
            self._cluster = stack.enter_context(open_cluster(self._name, self._settings))
            self._cluster.report_to(self.books)
            self._stack = stack
        self._users += 1
        return self._cluster

    def leave(self) -> None:
        with _lock:
            self._users -= 1
            if not self._users:
                self._timer = threading.Timer(IDLE_SECONDS, self._close_if_idle)
                self._timer.daemon = True
                self._timer.start()

    def _close_if_idle(self) -> None:
        with _lock:
            if not self._users:
                self.close()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._stack is not None:
            self._stack.close()
        self._stack = self._cluster = None

"""The cluster of one machine: Dask's scheduler in a thread of the driver, one worker process.

One worker with a thread a slot, not a worker a slot: units are processes of their own, so threads serve as
well, a worker costs 100 MB and a second to start, and a warm interpreter will then serve all slots. The price
is that a dying worker takes all running units with it; it runs nothing but our code, and when memory runs out
the kernel picks a unit, which is larger.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from treadle.clusters.private_folder import private_folder
from treadle.clusters.worker_process import WorkerProcess
from treadle.errors import ClusterError, WorkersUnavailable

if TYPE_CHECKING:
    from treadle.clusters.dispatcher import Dispatcher

P = TypeVar("P")
R = TypeVar("R")

DASK_LOGGERS = ("distributed", "distributed.client", "tornado.application")


class LocalCluster:
    """Workers on this machine; nothing listens but on loopback, and nothing answers without a certificate.

    The certificate is made when the cluster starts and ends with it; it lives in the memory of driver and
    worker.

    Args:
        slots: Batches that run at once.
    """

    name = "local"

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._dispatcher: Dispatcher | None = None
        self._exit = ExitStack()

    @property
    def slots(self) -> int:
        """See `Cluster`."""
        return self._slots

    def submit(self, function: Callable[[P], R], payload: P) -> Future[R]:
        """See `Cluster`."""
        return self._opened().submit(function, payload)

    def broadcast(self, function: Callable[[P], object], payload: P) -> None:
        """See `Cluster`."""
        self._opened().broadcast(function, payload)

    def _opened(self) -> Dispatcher:
        if self._dispatcher is None:
            raise ClusterError("The local cluster is not open.", remedy="Enter it as a context first.")
        return self._dispatcher

    def __enter__(self) -> Self:
        """See `Cluster`."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(private_folder())
                first = WorkerProcess("local-1", folder)
            except OSError as error:
                raise WorkersUnavailable(f"The local cluster cannot start a worker: {error}.") from error
            opened: Future[Dispatcher] = Future()
            closing: Future[None] = Future()
            thread = threading.Thread(
                target=self._serve, args=(folder, first, opened, closing), name="treadle-cluster", daemon=True
            )
            thread.start()
            stack.callback(thread.join)
            stack.callback(closing.set_result, None)
            self._dispatcher = opened.result()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `Cluster`."""
        self._exit.close()

    def _serve(
        self, folder: Path, first: WorkerProcess, opened: Future[Dispatcher], closing: Future[None]
    ) -> None:
        from treadle.clusters.session import Session  # Dask takes a second, in which the worker starts

        async def serve() -> None:
            await Session(self._slots, folder, first).run(opened, closing)

        with _quiet_dask():
            try:
                asyncio.run(serve())
            except BaseException as error:
                first.stop()
                if opened.done():
                    raise
                opened.set_exception(error)


@contextmanager
def _quiet_dask() -> Iterator[None]:
    """Keep Dask's own remarks off the terminal: what matters reaches the user as an error of ours."""
    loggers = [logging.getLogger(name) for name in DASK_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

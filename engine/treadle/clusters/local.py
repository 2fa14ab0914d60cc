"""The cluster of one machine: Dask's scheduler in a thread of the driver, one worker process.

One worker with a thread a slot, not a worker a slot: units are processes of their own, so threads serve as
well, a worker costs 100 MB and a second to start, and a warm interpreter will then serve all slots. The price
is that a dying worker takes all running units with it; it runs nothing but our code, and when memory runs out
the kernel picks a unit, which is larger.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treadle.clusters.port import ANY_RESOURCES, JobBook, Pool
from treadle.clusters.private_folder import private_folder
from treadle.clusters.quiet import quiet_dask
from treadle.clusters.worker_process import WorkerProcess
from treadle.errors import ClusterError, WorkersUnavailable
from treadle.model.resources import Resources

if TYPE_CHECKING:
    from treadle.clusters.dispatcher import Dispatcher


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

    def pool(self, resources: Resources = ANY_RESOURCES) -> Pool:  # noqa: ARG002 - one serves all units
        """See `Cluster`."""
        if self._dispatcher is None:
            raise ClusterError("The local cluster is not open.", remedy="Enter it as a context first.")
        return self._dispatcher

    def report_to(self, book: JobBook) -> None:
        """See `Cluster`; it has no jobs."""

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

        with quiet_dask():
            try:
                asyncio.run(serve())
            except BaseException as error:
                first.stop()
                if opened.done():
                    raise
                opened.set_exception(error)

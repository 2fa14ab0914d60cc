"""The life of a local cluster on one event loop: scheduler, client, and a worker that is always replaced."""

from __future__ import annotations

import asyncio
import itertools
import logging
import shutil
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

import dask
from distributed import Client
from distributed.security import Security

from treadle.clusters.attendance import Attendance
from treadle.clusters.delivery import OPERATION
from treadle.clusters.dispatcher import Dispatcher
from treadle.clusters.servers import CONFIGURATION, QuietScheduler
from treadle.clusters.worker_process import Introduction, WorkerProcess
from treadle.errors import ClusterError, WorkerLost, WorkersUnavailable

logger = logging.getLogger(__name__)

START_SECONDS = 60.0
STOP_SECONDS = 15.0
STILLBORN_AT_MOST = 3


class Session:
    """Everything between the opening of a cluster and its end.

    Args:
        slots: Batches that run at once.
        folder: Private folder for what workers write; the caller removes it.
        first: The first worker, started early, so that its imports overlap with ours.
    """

    def __init__(self, slots: int, folder: Path, first: WorkerProcess) -> None:
        self._slots = slots
        self._folder = folder
        self._worker = first
        self._names = (f"local-{number}" for number in itertools.count(2))
        self._loop = asyncio.get_running_loop()
        self._gone: dict[str, asyncio.Future[None]] = {}

    async def run(self, opened: Future[Dispatcher], closing: Future[None]) -> None:
        """Open the cluster, keep it working, close it.

        Args:
            opened: Gets the dispatcher once a worker is there, or the `WorkersUnavailable` that prevented it.
            closing: Set when it is time to close.
        """
        self._closing = asyncio.wrap_future(closing)
        async with self._dask() as introduction, self._dispatching() as dispatcher:
            try:
                await self._bring_up(introduction)
            except WorkersUnavailable as error:
                opened.set_exception(error)
                return
            opened.set_result(dispatcher)
            keeping = asyncio.create_task(self._keep_up(introduction, dispatcher))
            await asyncio.wait({self._closing})
            keeping.cancel()

    @asynccontextmanager
    async def _dask(self) -> AsyncIterator[Introduction]:
        security = Security.temporary()
        with dask.config.set(CONFIGURATION):  # read while they start; the user's own is back at once
            self._scheduler = await QuietScheduler(security)
            self._client = await Client(
                self._scheduler.address, security=security, asynchronous=True, set_as_default=False
            )
        try:
            yield Introduction(
                scheduler=self._scheduler.address,
                threads=self._slots,
                authority=security.tls_ca_file,
                certificate=security.tls_worker_cert,
                key=security.tls_worker_key,
                module_path=sys.path,
            )
        finally:
            await self._client.close()
            await self._scheduler.close()

    @asynccontextmanager
    async def _dispatching(self) -> AsyncIterator[Dispatcher]:
        dispatcher = Dispatcher(self._client, self._slots, self._bury)
        self._attendance = Attendance(lambda _: dispatcher)
        self._scheduler.add_plugin(self._attendance)
        self._scheduler.stream_handlers[OPERATION] = dispatcher.deliver
        try:
            yield dispatcher
        finally:
            dispatcher.close(ClusterError("The local cluster is closed."))
            self._worker.stop()
            if self._worker.name in self._gone:
                await asyncio.wait({self._gone[self._worker.name]}, timeout=STOP_SECONDS)
            _repeat_words(self._worker)
            dispatcher.abandon(WorkerLost("The local cluster was closed while the batch ran."))

    async def _bring_up(self, introduction: Introduction) -> None:
        """Wait until the current worker has registered, or nobody wants it any more.

        Raises:
            WorkersUnavailable: It died before, or took too long.
        """
        worker = self._worker
        gone = self._gone[worker.name] = self._in_thread(worker.wait_gone)
        worker.introduce(introduction)
        arrived = asyncio.create_task(self._attendance.of(worker.name))
        awaited = {gone, arrived, self._closing}
        await asyncio.wait(awaited, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if arrived.done() or self._closing.done():
            return
        arrived.cancel()
        what = "died before it was ready" if gone.done() else f"was not ready after {START_SECONDS:.0f} s"
        worker.kill()
        raise WorkersUnavailable(
            f"Worker {worker.name} of the local cluster {what}.",
            remedy="The text below is what it said last.",
            detail=worker.last_words(),
        )

    async def _keep_up(self, introduction: Introduction, dispatcher: Dispatcher) -> None:
        """Put a new worker in the place of each that dies; give up when several in a row never got ready."""
        stillborn = 0
        while True:
            await asyncio.wait({self._gone[self._worker.name]})
            self._worker.stop()
            _repeat_words(self._worker)
            shutil.rmtree(self._worker.folder, ignore_errors=True)
            try:
                self._worker = WorkerProcess(next(self._names), self._folder)
                await self._bring_up(introduction)
                stillborn = 0
            except (WorkersUnavailable, OSError) as error:
                stillborn += 1
                if stillborn == STILLBORN_AT_MOST:
                    dispatcher.fail(_as_unavailable(error))
                    return

    async def _bury(self, name: str) -> WorkerLost:
        if name == self._worker.name:
            self._worker.kill()
        await asyncio.wait({self._gone[name]})
        return WorkerLost(f"Worker {name} died while it ran a batch.")

    def _in_thread(self, function: Callable[[], None]) -> asyncio.Future[None]:
        """Call a blocking function in a thread that nobody waits for when the loop ends."""
        ended: asyncio.Future[None] = self._loop.create_future()

        def call() -> None:
            function()
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(ended.set_result, None)

        threading.Thread(target=call, name="treadle-worker-watch", daemon=True).start()
        return ended


def _repeat_words(worker: WorkerProcess) -> None:
    """Put a worker's last words into the driver's log; the file they are in goes."""
    for line in worker.last_words().splitlines():
        logger.info("worker_said worker=%s line=%r", worker.name, line)


def _as_unavailable(error: WorkersUnavailable | OSError) -> WorkersUnavailable:
    if isinstance(error, WorkersUnavailable):
        return error
    return WorkersUnavailable(f"The local cluster cannot start another worker: {error}.")

"""The life of a SLURM cluster on one event loop: scheduler, client, watcher, and the pools there are."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import dask
from distributed import Client
from distributed.security import Security

from treadle.clusters.attendance import Attendance
from treadle.clusters.delivery import OPERATION
from treadle.clusters.dispatcher import Dispatcher
from treadle.clusters.notices import notice
from treadle.clusters.port import JobBook
from treadle.clusters.servers import CONFIGURATION, QuietScheduler
from treadle.clusters.slurm.address import driver_address
from treadle.clusters.slurm.commands import Slurm
from treadle.clusters.slurm.introduction import Introduction
from treadle.clusters.slurm.pool import Site, SlurmPool
from treadle.clusters.slurm.transports import open_transport
from treadle.clusters.slurm.watcher import Watcher
from treadle.errors import ClusterError, ControllerAway
from treadle.model.job_shape import JobShape
from treadle.model.profile import ClusterProfile

SUBMISSION_SECONDS = 2.0
"""How long a submission that is under way is waited for at the end."""


class Session:
    """Everything between the opening of a cluster and its end.

    Args:
        name: What the user calls the cluster.
        profile: What the site's people have settled.
        token: Begins the names of all its jobs.
        folder: Private folder on storage that the nodes share; the caller removes it.
        book: Returns where jobs are written down.
        home: The home folder; None: the one that workers find by themselves.

    Attributes:
        all_over: Whether it is known, after the end, that no job is left.
    """

    def __init__(
        self,
        name: str,
        profile: ClusterProfile,
        token: str,
        folder: Path,
        book: Callable[[], JobBook],
        *,
        home: Path | None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._name = name
        self._profile = profile
        self._token = token
        self._folder = folder
        self._home = home
        self._book = book
        self._tokens = itertools.count()
        self._pools: dict[JobShape, SlurmPool] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self.all_over = True

    async def run(self, opened: Future[Session], closing: Future[None]) -> None:
        """Open the cluster, keep it working, close it.

        Args:
            opened: Gets this session once pools can be had.
            closing: Set when it is time to close.

        Raises:
            HostUnreachable: There is no way to the machine that submits jobs; later that would be waited for.
        """
        transport = open_transport(self._profile)
        slurm = Slurm(transport)
        watcher = Watcher(
            slurm,
            shortest_seconds=self._profile.poll_seconds,
            longest_seconds=self._profile.poll_seconds_max,
            on_away=_tell_of_absence,
        )
        self._site = Site(
            cluster=self._name,
            slurm=slurm,
            watcher=watcher,
            profile=self._profile,
            folder=self._folder,
            token=self._token,
            book=self._book,
            dismiss=self._dismiss,
            pools=self._pools.values,
        )
        async with AsyncExitStack() as stack:
            stack.push_async_callback(slurm.close)
            if self._profile.ssh is not None:
                await transport.run(["true"])
            await stack.enter_async_context(self._dask())
            await stack.enter_async_context(watcher)
            stack.push_async_callback(self._close_pools)
            opened.set_result(self)
            await asyncio.wrap_future(closing)

    async def _close_pools(self) -> None:
        for pool in self._pools.values():
            pool.stop()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=SUBMISSION_SECONDS)
            for keeper in late:
                keeper.cancel()
        error = ClusterError(f"The cluster {self._name} is closed.")
        self.all_over = all(await asyncio.gather(*(pool.close(error) for pool in self._pools.values())))

    async def pool(self, shape: JobShape) -> Dispatcher:
        """Return the pool whose jobs have that shape."""
        if shape not in self._pools:
            pool = SlurmPool(len(self._pools) + 1, shape, self._site, self._client, self._tokens)
            self._pools[shape] = pool
            self._keepers.append(asyncio.create_task(pool.keep()))
        return self._pools[shape].dispatcher

    @asynccontextmanager
    async def _dask(self) -> AsyncIterator[None]:
        security = Security.temporary()
        with dask.config.set(CONFIGURATION):  # read while they start; the user's own is back at once
            self._scheduler = await QuietScheduler(security, host=driver_address(self._profile))
            self._scheduler.add_plugin(Attendance(self._dispatcher_of))
            self._scheduler.stream_handlers[OPERATION] = self._deliver
            self._client = await Client(
                self._scheduler.address, security=security, asynchronous=True, set_as_default=False
            )
        try:
            Introduction(
                scheduler=self._scheduler.address,
                authority=security.tls_ca_file,
                certificate=security.tls_worker_cert,
                key=security.tls_worker_key,
                module_path=sys.path,
                patience_seconds=self._profile.start_seconds,
                local_directory=self._profile.local_directory,
                home=None if self._home is None else str(self._home),
            ).write(self._folder)
            yield
        finally:
            await self._client.close()
            await self._scheduler.close()

    async def _dismiss(self, address: str) -> None:
        await self._scheduler.remove_worker(address, stimulus_id="treadle-dismiss", close=True)

    def _dispatcher_of(self, worker: str) -> Dispatcher:
        return next(pool.dispatcher for pool in self._pools.values() if pool.owns(worker))

    def _deliver(self, worker: str, token: int, outcome: bytes) -> None:
        """Pass a result on to the one pool that waits for it."""
        for pool in self._pools.values():
            pool.dispatcher.deliver(worker, token, outcome)


def _tell_of_absence(error: ControllerAway | None) -> None:
    if error is None:
        notice("SLURM answers again.")
    else:
        notice(f"SLURM does not answer: {error.what} Jobs that run go on, and it is asked again.")

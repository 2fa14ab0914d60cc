"""The cluster of a site: Dask's scheduler in the driver, its workers in SLURM jobs.

Of dask-jobqueue the job's script is used. Its cluster object is not: it takes a job for running as soon as
sbatch returned, never reads the queue, and loses count when a submission is refused.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from treadle.clusters.port import ANY_RESOURCES, JobBook, NoBook, Pool
from treadle.clusters.quiet import quiet_dask
from treadle.clusters.slurm.reaper import Reaper
from treadle.errors import ClusterError, StorageFull
from treadle.model.job_shape import jobs_at_most, resolve
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources

if TYPE_CHECKING:
    from treadle.clusters.slurm.session import Session

POOL_SECONDS = 60.0


class SlurmCluster:
    """Workers in SLURM jobs, which are submitted as soon as there is work for them.

    Args:
        name: What the user calls it.
        profile: What the site's people have settled.
        folder: Folder on storage that the nodes share; the cluster's own folder is made in it.
        home: The home folder, where calls are cached that workers make; None: the one that is theirs.
    """

    def __init__(self, name: str, profile: ClusterProfile, folder: Path, *, home: Path | None = None) -> None:
        self.name = name
        self._profile = profile
        self._parent = folder
        self._home = home
        self._book: JobBook = NoBook()
        self._session: Session | None = None
        self._exit = ExitStack()

    @property
    def slots(self) -> int:
        """See `Cluster`."""
        shape = resolve(ANY_RESOURCES, self._profile)
        return shape.slots * jobs_at_most(shape, self._profile, None)

    def report_to(self, book: JobBook) -> None:
        """See `Cluster`."""
        self._book = book

    def pool(self, resources: Resources = ANY_RESOURCES) -> Pool:
        """See `Cluster`."""
        if self._session is None:
            raise ClusterError(f"The cluster {self.name} is not open.", remedy="Enter it as a context first.")
        shape = resolve(resources, self._profile)
        opening = asyncio.run_coroutine_threadsafe(self._session.pool(shape), self._session.loop)
        return opening.result(POOL_SECONDS)

    def __enter__(self) -> Self:
        """See `Cluster`."""
        token = f"treadle-{secrets.token_hex(4)}"
        with ExitStack() as stack:
            folder = self._make_folder(token)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            reaper = Reaper(self._profile, token, folder)
            opened: Future[Session] = Future()
            stack.callback(lambda: reaper.dismiss(all_over=_all_over(opened)))
            closing: Future[None] = Future()
            thread = threading.Thread(
                target=self._serve, args=(token, folder, opened, closing), name="treadle-cluster", daemon=True
            )
            thread.start()
            stack.callback(thread.join)
            stack.callback(closing.set_result, None)
            self._session = opened.result()
            self._exit = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """See `Cluster`."""
        self._session = None
        self._exit.close()

    def _make_folder(self, token: str) -> Path:
        folder = self._parent / token
        try:
            self._parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise StorageFull(f"The folder {folder} for the cluster cannot be made: {error}.") from error
        return folder

    def _serve(self, token: str, folder: Path, opened: Future[Session], closing: Future[None]) -> None:
        from treadle.clusters.slurm.session import Session  # Dask takes a second

        async def serve() -> None:
            session = Session(self.name, self._profile, token, folder, lambda: self._book, home=self._home)
            await session.run(opened, closing)

        with quiet_dask():
            try:
                asyncio.run(serve())
            except BaseException as error:
                if opened.done():
                    raise
                opened.set_exception(error)


def _all_over(opened: Future[Session]) -> bool:
    return opened.exception() is not None or opened.result().all_over

"""Dask's scheduler and worker without their web servers, and the configuration both run under.

Each keeps one port, which asks for a certificate. The web servers would open another that answers to anybody,
even with the dashboard switched off.
"""

from __future__ import annotations

from typing import Any

from distributed import Scheduler, Worker
from distributed.security import Security

LOOPBACK = "127.0.0.1"
PROTOCOL = "tls"
ENDS_AT = "treadle-ends-at"

CONFIGURATION: dict[str, object] = {
    "distributed.admin.low-level-log-length": 100,
    "distributed.comm.require-encryption": True,
    "distributed.diagnostics.nvml": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.contact-address": None,
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.idle-timeout": None,
    "distributed.scheduler.no-workers-timeout": None,
    "distributed.scheduler.preload": [],
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.http.routes": [],
    "distributed.worker.lifetime.duration": None,
    "distributed.worker.preload": [],
    "distributed.worker.profile.enabled": False,
    "logging.distributed": "warning",
}


class QuietScheduler(Scheduler):
    """A scheduler with one port and no extension but the plain running of tasks."""

    def __init__(self, security: Security, *, host: str = LOOPBACK) -> None:
        super().__init__(
            host=host, port=0, protocol=PROTOCOL, security=security, dashboard=False, extensions={}
        )

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietWorker(Worker):
    """A worker with one port; it neither spills nor watches its memory, since units are other processes.

    Args:
        scheduler: Its address.
        name: Name of the worker.
        threads: Batches it runs at once.
        folder: For its files.
        security: Certificates.
        host: Address to listen on.
        death_timeout: Seconds after which it gives up a scheduler that it cannot reach.
        ends_at: When its job ends, in seconds of the epoch.
    """

    def __init__(
        self,
        scheduler: str,
        *,
        name: str,
        threads: int,
        folder: str,
        security: Security,
        host: str = LOOPBACK,
        death_timeout: float | None = None,
        ends_at: float | None = None,
    ) -> None:
        super().__init__(
            scheduler,
            name=name,
            nthreads=threads,
            local_directory=folder,
            security=security,
            host=host,
            protocol=PROTOCOL,
            memory_limit=0,
            death_timeout=death_timeout,
            startup_information={ENDS_AT: lambda _: ends_at},
            extensions={},
        )

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""

    async def close(self, *positional: Any, **options: Any) -> Any:
        """End without waiting for what runs: that is ended with it."""
        return await super().close(*positional, **{**options, "executor_wait": False})

    async def work(self) -> None:
        """Serve until the scheduler or somebody else ends it."""
        async with self:
            await Worker.finished(self)

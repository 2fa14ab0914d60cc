"""Dask's scheduler and worker without their web servers, and the configuration both run under.

Each keeps one port, which asks for a certificate. The web servers would open another that answers to anybody,
even with the dashboard switched off.
"""

from __future__ import annotations

from typing import Any

from distributed import Scheduler, Worker
from distributed.security import Security

HOST = "127.0.0.1"
PROTOCOL = "tls"

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

    def __init__(self, security: Security) -> None:
        super().__init__(
            host=HOST, port=0, protocol=PROTOCOL, security=security, dashboard=False, extensions={}
        )

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""


class QuietWorker(Worker):
    """A worker with one port; it neither spills nor watches its memory, since units are other processes."""

    def __init__(self, scheduler: str, *, name: str, threads: int, folder: str, security: Security) -> None:
        super().__init__(
            scheduler,
            name=name,
            nthreads=threads,
            local_directory=folder,
            security=security,
            host=HOST,
            protocol=PROTOCOL,
            memory_limit=0,
            extensions={},
        )

    def start_http_server(self, *_: Any, **__: Any) -> None:
        """Open no port."""

    async def work(self) -> None:
        """Serve until the scheduler or somebody else ends it."""
        async with self:
            await Worker.finished(self)

"""One unit's processes, from fork to the last of them: what they use, and when they are to end.

Memory is the larger of two figures. One is the kernel's own exact maximum of the unit's largest process. Of a
forked unit it begins at the resident memory of the zygote, that is, of the interpreter with the libraries
that the task imports, where that of a fresh process arrives too. The other is the largest sampled sum over
all processes of the unit; as soon as there are several, of their proportional shares, so that children
that share a large array by fork do not count it once each. The sum is held against the limit.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

from . import kernel

if TYPE_CHECKING:
    import resource

TIMEOUT = "timeout"
CANCELLED = "cancelled"
OUT_OF_MEMORY = "out_of_memory"
LOST = "worker_lost"

GRACE_SECONDS = 2.0
SAMPLE_SECONDS = 0.1
SAMPLE_SHARE = 0.05  # of its time that a keeper may spend on sampling
SWEEP_SECONDS = 0.02


class Unit:
    """A unit that was just forked; the calling process adopts its orphans and has no other children.

    Args:
        number: What the worker calls it.
        root: Its first process.
        timeout: Seconds that it may take.
        limit: Bytes of memory that its processes may use.
        kernel_kills: What `kernel.out_of_memory_kills` returned before it was forked.
    """

    def __init__(
        self, number: int, root: int, timeout: float | None, limit: int | None, kernel_kills: int
    ) -> None:
        self.number = number
        self._root = root
        self._limit = limit
        self._began = time.monotonic()
        self._deadline = None if timeout is None else self._began + timeout
        self._kill_at: float | None = None
        self._sample_at = self._began + SAMPLE_SECONDS
        self._kernel_kills = kernel_kills
        self._reason: str | None = None
        self._status: int | None = None
        self._seconds = 0.0
        self._cpu_seconds = 0.0
        self._peak = 0

    def due(self) -> float:
        """Return in how many seconds `attend` must be called."""
        times = [self._sample_at if self._kill_at is None else self._kill_at]
        if self._deadline is not None and self._reason is None:
            times.append(self._deadline)
        return max(0.0, min(times) - time.monotonic())

    def attend(self) -> None:
        """Do what is due; some of its processes live."""
        now = time.monotonic()
        if self._status is not None and self._reason is None:
            self._kill_at = now  # it has ended, and what it left behind ends with it
        elif self._deadline is not None and now >= self._deadline:
            self.end(TIMEOUT)
        if self._kill_at is None:
            if now >= self._sample_at:
                self._sample()
        elif now >= self._kill_at:
            kernel.kill(kernel.descendants(os.getpid()), signal.SIGKILL)
            self._kill_at = now + SWEEP_SECONDS

    def end(self, reason: str) -> None:
        """Ask all its processes to end, and kill them after the grace period; the first reason counts."""
        if self._reason is None:
            self._reason = reason
            self._kill_at = time.monotonic() + GRACE_SECONDS
            kernel.kill(kernel.descendants(os.getpid()), signal.SIGTERM)

    def reaped(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        """Take note of the end of one of its processes."""
        self._cpu_seconds += usage.ru_utime + usage.ru_stime
        self._peak = max(self._peak, usage.ru_maxrss * 1024)
        if pid == self._root:
            self._seconds = time.monotonic() - self._began
            self._status = status
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            if killed and self._reason is None and kernel.out_of_memory_kills() > self._kernel_kills:
                self._reason = OUT_OF_MEMORY

    def account(self) -> dict[str, Any]:
        """Return what is to be told of it; none of its processes lives."""
        return {
            "id": self.number,
            "status": self._status,
            "reason": self._reason,
            "seconds": self._seconds,
            "cpu_seconds": self._cpu_seconds,
            "peak_memory_bytes": self._peak,
        }

    def _sample(self) -> None:
        began = time.monotonic()
        pids = kernel.descendants(os.getpid())
        used = kernel.resident_bytes(pids)
        limit = float("inf") if self._limit is None else self._limit
        if used > (limit if len(pids) == 1 else min(limit, self._peak)):
            used = kernel.proportional_bytes(pids)
        self._peak = max(self._peak, used)
        if used > limit:
            self._reason, self._kill_at = OUT_OF_MEMORY, began
        now = time.monotonic()
        self._sample_at = now + max(SAMPLE_SECONDS, (now - began) / SAMPLE_SHARE)

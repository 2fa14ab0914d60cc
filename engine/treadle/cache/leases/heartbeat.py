"""The thread that renews leases: one in a process, and only while calls run.

It starts with the first lease, since nobody else would notice that a call takes long, and ends when it finds
none to renew. Calls that are over before a third of their lease cost it nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Collection

from treadle.cache.leases import troubles
from treadle.cache.storages.ports import Lease, Leases
from treadle.errors import CacheError, CacheUnavailable

BEATS_IN_A_LEASE = 3
"""How often a lease is renewed before it would end: two may fail."""


class _Renewal:
    __slots__ = ("due", "lease", "leases", "seconds")

    def __init__(self, lease: Lease, leases: Leases, seconds: float) -> None:
        self.lease = lease
        self.leases = leases
        self.seconds = seconds
        self.due = 0.0

    def put_off(self) -> None:
        self.due = time.monotonic() + self.seconds / BEATS_IN_A_LEASE


class Heartbeat:
    """Renews the leases that it is given until they are taken away again, or lost."""

    _thread: threading.Thread | None

    def __init__(self) -> None:
        self.forget()

    def start(self, lease: Lease, leases: Leases, seconds: float) -> None:
        """Keep a lease.

        Args:
            lease: The lease.
            leases: What it is one of.
            seconds: How long it lasts unless it is renewed.
        """
        renewal = _Renewal(lease, leases, seconds)
        renewal.put_off()
        with self._changed:
            self._renewals[id(lease)] = renewal
            if self._thread is None:
                self._wakes = renewal.due
                self._thread = self._started(leases)
            elif renewal.due < self._wakes:
                self._changed.notify()

    def stop(self, lease: Lease) -> None:
        """Renew a lease no longer."""
        with self._changed:
            self._renewals.pop(id(lease), None)

    def forget(self) -> None:
        """Start anew after a fork: threads do not survive it, and the leases are the parent's."""
        self._renewals: dict[int, _Renewal] = {}
        self._changed = threading.Condition(threading.Lock())
        self._thread = None
        self._wakes = 0.0

    def _started(self, leases: Leases) -> threading.Thread | None:
        thread = threading.Thread(target=self._beat, name="treadle-leases", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # too many threads, or the interpreter is about to end
            troubles.note(leases, CacheUnavailable("Leases are not renewed.", detail=str(error)))
            return None
        return thread

    def _beat(self) -> None:
        with self._changed:
            while self._renewals:
                now = time.monotonic()
                late = [renewal for renewal in self._renewals.values() if renewal.due <= now]
                if late:
                    self._changed.release()
                    try:
                        lost = _renew(late)
                    finally:
                        self._changed.acquire()
                    for lease in lost:
                        self._renewals.pop(id(lease), None)
                    continue
                self._wakes = min(renewal.due for renewal in self._renewals.values())
                self._changed.wait(self._wakes - now)
            self._thread = None


def _renew(late: Collection[_Renewal]) -> list[Lease]:
    """Renew each, those of one kind and length together; return those that are lost."""
    groups: dict[tuple[int, float], list[_Renewal]] = {}
    for renewal in late:
        groups.setdefault((id(renewal.leases), renewal.seconds), []).append(renewal)
    lost = []
    for (_, seconds), group in groups.items():
        leases = group[0].leases
        try:
            held = leases.renew([renewal.lease for renewal in group], seconds=seconds)
        except CacheError as error:
            troubles.note(leases, error)
            held = {renewal.lease.key for renewal in group}
        for renewal in group:
            renewal.put_off()
        lost += [renewal.lease for renewal in group if renewal.lease.key not in held]
    return lost


heartbeat = Heartbeat()
"""The process's own."""


os.register_at_fork(after_in_child=heartbeat.forget)

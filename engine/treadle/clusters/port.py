"""The ports: all that the engine knows of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, TypeVar

from treadle.model.resources import Resources

P = TypeVar("P")
R = TypeVar("R")

ANY_RESOURCES = Resources()


class Pool(Protocol):
    """Workers that run functions, all of them with the same resources."""

    @property
    def slots(self) -> int:
        """How many functions run at once, at most."""

    def submit(self, function: Callable[[P], R], payload: P, *, seconds: float = 0.0) -> Future[R]:
        """Run `function(payload)` on a worker as soon as a slot is free, first come first served.

        Function, payload and result are pickled. The future can be cancelled as long as it is pending: the
        function then never runs. No function is ever run twice. The future raises

        - what the function raised;
        - `WorkerLost` if its worker died under it, or the cluster was closed: every process of the units it
          ran is then gone too, and another worker takes the place of the dead one;
        - `WorkersUnavailable` if no worker could be brought up.

        Args:
            function: Importable.
            payload: Its argument.
            seconds: How long it takes at least: it is not begun on a worker that ends before.

        Raises:
            ClusterError: The cluster is not open.
        """

    def broadcast(self, function: Callable[[P], object], payload: P) -> None:
        """Run `function(payload)` on every living worker soon, even if no slot is free; returns at once.

        Function and payload are pickled. Nobody learns what the function returns; what it raises is logged.
        What is on its way to a worker may arrive there later than a broadcast that was made after it.

        Raises:
            ClusterError: The cluster is not open.
        """

    def expect(self, who: str, units: int) -> None:
        """Say how many units somebody still has for this pool, those that run included; from any thread.

        A pool grows and shrinks by the sum over all who said something; whoever is done says 0.
        """


@dataclass(frozen=True, slots=True)
class JobStarted:
    """A job of a batch system that a pool has submitted.

    Attributes:
        id: The system's number for it.
        name: Ours, which no other job has.
        cluster: What the user calls the cluster.
        shape: What it asks for, for people.
        cpus: CPUs it asks for.
        memory_mb: Memory it asks for; None for the system's default.
    """

    id: str
    name: str
    cluster: str
    shape: str
    cpus: int
    memory_mb: int | None


@dataclass(frozen=True, slots=True)
class JobOver:
    """How a job ended, as the batch system tells it.

    Attributes:
        id: The system's number for it.
        state: The system's word.
        node: Where it ran.
        submitted_at: When it was submitted.
        started_at: When it began; None if it never did.
        ended_at: When it ended.
        cpu_seconds: CPU time that its processes used.
        peak_memory_mb: The most memory they used at once.
        text: What happened, for people.
    """

    id: str
    state: str
    node: str
    submitted_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    cpu_seconds: float | None
    peak_memory_mb: int | None
    text: str


class JobBook(Protocol):
    """Where a cluster has its jobs written down; called from any thread, one call at a time."""

    def started(self, job: JobStarted) -> None:
        """Note a job; it counts as submitted only when this has returned."""

    def over(self, job: JobOver) -> None:
        """Note the end of a job."""


class NoBook:
    """Forgets."""

    def started(self, job: JobStarted) -> None:
        """See `JobBook`."""

    def over(self, job: JobOver) -> None:
        """See `JobBook`."""


class Cluster(Protocol):
    """Pools of workers; a context manager around their life.

    `treadle.testing.cluster.ClusterContract` tests an implementation against what is said here.
    """

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def slots(self) -> int:
        """How many functions with the least resources run at once, at most."""

    def pool(self, resources: Resources = ANY_RESOURCES) -> Pool:
        """Return the workers for units that need these resources; equal needs share a pool.

        Raises:
            ClusterError: The cluster is not open.
            WorkersUnavailable: It can never have such workers.
        """

    def report_to(self, book: JobBook) -> None:
        """Have jobs written down from now on."""

    def __enter__(self) -> Self:
        """Start what pools need.

        Raises:
            WorkersUnavailable: No worker could come up.
        """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel what is pending, kill what runs, end the workers; nothing is left when this returns."""

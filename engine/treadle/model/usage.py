"""What units and jobs used of what was reserved for them: sums that can be added up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import add

from treadle.model.resources import Resources

BYTES_PER_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Share:
    """How much was used of how much was reserved, where both are known."""

    used: float = 0.0
    reserved: float = 0.0

    def __add__(self, other: Share) -> Share:
        return Share(self.used + other.used, self.reserved + other.reserved)

    @property
    def efficiency(self) -> float | None:
        """The part that was used, 1 for all of it; None where nothing was reserved."""
        return self.used / self.reserved if self.reserved else None


@dataclass(frozen=True, slots=True)
class Usage:
    """What some units used, or some jobs; usages of one kind add up.

    Attributes:
        count: How many they are.
        cpu_seconds: CPU time that their processes used, as far as it is known.
        reserved_cpu_seconds: CPUs reserved for them, times the seconds that they had them.
        cpu: CPU time used of that reserved, over those of which it is known.
        memory: MB used at most, times seconds, of MB reserved, times seconds.
        peak_memory_mb: The most that one of them used; None where it is not known.
        queue_seconds: How long jobs waited to begin; None where there are none.
    """

    count: int = 0
    cpu_seconds: float = 0.0
    reserved_cpu_seconds: float = 0.0
    cpu: Share = Share()
    memory: Share = Share()
    peak_memory_mb: float | None = None
    queue_seconds: float | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            count=self.count + other.count,
            cpu_seconds=self.cpu_seconds + other.cpu_seconds,
            reserved_cpu_seconds=self.reserved_cpu_seconds + other.reserved_cpu_seconds,
            cpu=self.cpu + other.cpu,
            memory=self.memory + other.memory,
            peak_memory_mb=_merged(max, self.peak_memory_mb, other.peak_memory_mb),
            queue_seconds=_merged(add, self.queue_seconds, other.queue_seconds),
        )


@dataclass(frozen=True, slots=True)
class UnitSums:
    """Sums over ended units that need the same.

    Attributes:
        count: How many they are.
        seconds: Wall time of all.
        cpu_seconds: CPU time of all.
        peak_memory_bytes: The most that one of them used.
        memory_byte_seconds: The most that each used, times its wall time.
    """

    count: int
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    memory_byte_seconds: float


def units_usage(sums: UnitSums, needed: Resources) -> Usage:
    """Return what units used of what their plan says they need."""
    reserved = needed.cpus * sums.seconds
    memory = Share()
    if needed.memory_mb is not None:
        memory = Share(sums.memory_byte_seconds / BYTES_PER_MB, needed.memory_mb * sums.seconds)
    return Usage(
        count=sums.count,
        cpu_seconds=sums.cpu_seconds,
        reserved_cpu_seconds=reserved,
        cpu=Share(sums.cpu_seconds, reserved),
        memory=memory,
        peak_memory_mb=sums.peak_memory_bytes / BYTES_PER_MB or None,
    )


def job_usage(
    *,
    cpus: int,
    memory_mb: int | None,
    queue_seconds: float | None,
    run_seconds: float | None,
    cpu_seconds: float | None,
    peak_memory_mb: int | None,
) -> Usage:
    """Return what one job used of what it asked for; nothing is known of one that has not ended.

    Args:
        cpus: CPUs that it asks for.
        memory_mb: Memory that it asks for; None for the system's default.
        queue_seconds: How long it waited; None if it never began.
        run_seconds: How long it ran; None if it never began.
        cpu_seconds: CPU time that its processes used; None where nobody counted.
        peak_memory_mb: The most memory they used at once; None where nobody looked.
    """
    seconds = run_seconds or 0.0
    memory = Share()
    if memory_mb is not None and peak_memory_mb is not None:
        memory = Share(peak_memory_mb * seconds, memory_mb * seconds)
    return Usage(
        count=1,
        cpu_seconds=cpu_seconds or 0.0,
        reserved_cpu_seconds=cpus * seconds,
        cpu=Share() if cpu_seconds is None else Share(cpu_seconds, cpus * seconds),
        memory=memory,
        peak_memory_mb=peak_memory_mb,
        queue_seconds=queue_seconds,
    )


def _merged(merge: Callable[[float, float], float], one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return merge(*known) if len(known) == 2 else next(iter(known), None)

"""Leases: who runs which call now, so that equal calls run once and nobody commits for another."""

from treadle.cache.leases.memory import MemoryLeases

__all__ = ["MemoryLeases"]

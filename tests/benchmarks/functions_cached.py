"""What the cached calls call."""

from __future__ import annotations

import numpy as np

MEGABYTE = 1 << 20


def add(number: int, offset: float = 0.5) -> float:
    """Add two numbers."""
    return number + offset


def total(array: np.ndarray) -> float:
    """Add up an array."""
    return float(array.sum())


def megabyte() -> np.ndarray:
    """An array of 1 MB."""
    return np.arange(MEGABYTE // 8, dtype="f8")

"""Caches read as one."""

from __future__ import annotations

from collections.abc import Sequence

from treadle.cache.caches.base import BaseCache
from treadle.cache.caches.over import Refusing
from treadle.cache.caches.several import Several


class Pool(Refusing, Several):
    """Serves the first hit among its members, and changes none of them.

    Args:
        members: In the order in which they are asked.
    """

    def __init__(self, members: Sequence[BaseCache]) -> None:
        super().__init__(members)

    def _refusal(self) -> str:
        return "a pool can only be read"

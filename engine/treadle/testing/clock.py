"""Hours of waiting in no time, for tests of what waits."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_without_waiting(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, on a clock that leaps to the next moment anything waits for.

    Only for what waits for nothing but time and its own event loop: no process or network keeps pace.
    """
    with asyncio.Runner(loop_factory=_LeapingLoop) as runner:
        return runner.run(coroutine)


class _LeapingSelector(selectors.SelectSelector):
    leapt = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.leapt += timeout
        return ready


class _LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.leapt

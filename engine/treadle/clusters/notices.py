"""What people should hear of a cluster while their run goes on, in whole sentences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_notices = logging.getLogger("treadle.notices")


def notice(text: str) -> None:
    """Let whoever listens know."""
    _notices.warning("%s", text)


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """Have notices told while the context lasts, from any thread."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            listener(record.getMessage())

    handler = Handler()
    _notices.addHandler(handler)
    try:
        yield
    finally:
        _notices.removeHandler(handler)

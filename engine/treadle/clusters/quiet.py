"""Dask without its remarks: what matters reaches the user as an error of ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

DASK_LOGGERS = ("distributed", "distributed.client", "tornado.application")


@contextmanager
def quiet_dask() -> Iterator[None]:
    """Keep Dask's own remarks off the terminal."""
    loggers = [logging.getLogger(name) for name in DASK_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""Beside a run's drive: takes and keeps its lease, and hears of those who want its end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from treadle.compile.context import RunContext
from treadle.compile.identity import is_gone
from treadle.compile.prefect_runs import is_cancelled
from treadle.errors import LeaseLost, TreadleError
from treadle.ledger import leases

LEDGER_SECONDS = 1.0
RENEW_SECONDS = 5.0
PREFECT_SECONDS = 2.0
JOIN_SECONDS = 5.0

logger = logging.getLogger(__name__)


@contextmanager
def supervised(context: RunContext, flow_run_id: str) -> Iterator[None]:
    """Hold the run's lease as long as the context lasts, in this flow run of Prefect.

    Sets the run's `stop` when the ledger or Prefect has a request to cancel the run, or when another process
    has taken it over.

    Raises:
        AlreadyDriven: Another process drives the run.
    """
    with context.ledger.writing() as tx:
        leases.acquire(tx, context.run_id, context.driver, is_gone=is_gone)
    ended = threading.Event()
    threads = [
        threading.Thread(target=watch, args=(context, ended, *more), name="treadle-watch", daemon=True)
        for watch, more in ((_keep_lease, ()), (_watch_prefect, (flow_run_id,)))
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(JOIN_SECONDS)
        with context.ledger.writing() as tx:
            leases.release(tx, context.run_id, context.driver)


def _keep_lease(context: RunContext, ended: threading.Event) -> None:
    renewed = time.monotonic()
    while not ended.wait(LEDGER_SECONDS):
        try:
            with context.ledger.reading() as tx:
                leases.confirm(tx, context.run_id, context.driver, lock=False)
                if leases.is_cancel_requested(tx, context.run_id):
                    context.stop.set()
            if time.monotonic() - renewed >= RENEW_SECONDS:
                with context.ledger.writing() as tx:
                    leases.renew(tx, context.run_id, context.driver)
                renewed = time.monotonic()
        except LeaseLost as error:
            logger.warning("lease_lost run=%d error=%s", context.run_id, error)
            context.stop.set()
            return
        except TreadleError as error:
            logger.warning("lease_not_renewed run=%d error=%s", context.run_id, error)


def _watch_prefect(context: RunContext, ended: threading.Event, flow_run_id: str) -> None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        while not ended.wait(PREFECT_SECONDS) and not context.stop.is_set():
            if is_cancelled(client, flow_run_id):
                context.stop.set()

"""The nightly upkeep as a Prefect flow: what nobody should have to think of.

Each part is a Prefect task; one that fails hinders no other. Import this only when Prefect's address and
secret are in the environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from prefect import flow, get_run_logger, task

from treadle.collect.lifecycle import collect_garbage
from treadle.collect.plugins.scanning import ScanReport, scan
from treadle.collect.progress import Progress
from treadle.ledger import Ledger, leases, sqlite_url
from treadle.settings import Settings, load_settings

FLOW = "Upkeep"
DEPLOYMENT = "nightly"
CRON = "17 3 * * *"
KEEP_DAYS = 30


@flow(name=FLOW, persist_result=False)
def upkeep(keep_days: int = KEEP_DAYS) -> list[str]:
    """Look for plugins, remove what nothing needs, and put the ledger in order.

    Args:
        keep_days: How many days environments and what belongs to them are kept that nothing needs.

    Returns:
        What was done, a sentence for each part.
    """
    parts = [rescan_plugins.submit(), remove_garbage.submit(keep_days), compact_ledger.submit()]
    for part in parts:
        part.wait()
    return [part.result() for part in parts]


@task(name="rescan plugins", persist_result=False)
def rescan_plugins() -> str:
    """Look for plugins, new, changed and gone; say how many there are.

    Raises:
        StorageFull: The folder of checkouts may not be written.
        LedgerError: The ledger could not be read or written.
    """
    logger = get_run_logger()
    with _opened() as (settings, ledger):
        report = scan(settings, ledger, Progress(logger.info, logger.info))
    for problem in report.problems:
        logger.warning("%s: %s", problem.origin, problem.problem.what)
    for plugin in report.plugins:
        if plugin.state == "broken":
            logger.warning("%s: %s", plugin.location, plugin.problem)
    return _told(report_line(report))


@task(name="remove garbage", persist_result=False)
def remove_garbage(keep_days: int) -> str:
    """Remove environments, wheels, bytecode and checkouts that nothing needs; say what that freed.

    Raises:
        StorageFull: The home folder may not be written.
        LedgerError: The ledger could not be read or written.
    """
    logger = get_run_logger()
    with _opened() as (settings, ledger):
        removed = collect_garbage(
            older_than=timedelta(days=keep_days),
            dry_run=False,
            settings=settings,
            ledger=ledger,
            progress=Progress(logger.info, logger.info),
        )
    freed = sum(garbage.size_bytes for garbage in removed)
    return _told(f"{len(removed)} things removed that nothing needs, {freed / 1e6:.1f} MB.")


@task(name="compact the ledger", persist_result=False)
def compact_ledger() -> str:
    """Give back what deleted rows took and refresh the planner's statistics; say how large the ledger is.

    Raises:
        LedgerError: The ledger could not be read or written.
    """
    with _opened() as (_, ledger):
        with ledger.reading() as tx:
            driven = leases.are_held(tx)
        done = ledger.compact(in_use=driven)
    sizes = f"{done.after_bytes / 1e6:.1f} MB, before {done.before_bytes / 1e6:.1f} MB"
    return _told(f"The ledger's statistics are new. It takes {sizes}.")


def report_line(report: ScanReport) -> str:
    """Return how many plugins there are, in a sentence."""
    broken = sum(plugin.state == "broken" for plugin in report.plugins)
    return f"{len(report.plugins)} plugins, scripts and projects, {broken} of them broken."


@contextmanager
def _opened() -> Iterator[tuple[Settings, Ledger]]:
    """Open the ledger by the settings of this process."""
    settings = load_settings()
    with Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        yield settings, ledger


def _told(line: str) -> str:
    get_run_logger().info("%s", line)
    return line

"""The nightly upkeep as a Prefect flow: what nobody should have to think of.

Import this only when Prefect's address and secret are in the environment.
"""

from __future__ import annotations

from prefect import flow, get_run_logger

from treadle.collect.plugins.scanning import ScanReport, scan
from treadle.collect.progress import Progress
from treadle.ledger import Ledger, sqlite_url
from treadle.settings import load_settings

FLOW = "Upkeep"
DEPLOYMENT = "nightly"
CRON = "17 3 * * *"


@flow(name=FLOW, persist_result=False)
def upkeep() -> None:
    """Look for plugins, new, changed and gone."""
    report = scan_plugins()
    get_run_logger().info("%s", report_line(report))


def scan_plugins() -> ScanReport:
    """Look for plugins by the settings of this process, telling its flow run.

    Raises:
        StorageFull: The folder of checkouts may not be written.
        LedgerError: The ledger could not be read or written.
    """
    settings, logger = load_settings(), get_run_logger()
    with Ledger(settings.ledger_url or sqlite_url(settings.home / "ledger.sqlite")) as ledger:
        report = scan(settings, ledger, Progress(logger.info, logger.info))
    for problem in report.problems:
        logger.warning("%s: %s", problem.origin, problem.problem.what)
    for plugin in report.plugins:
        if plugin.state == "broken":
            logger.warning("%s: %s", plugin.location, plugin.problem)
    return report


def report_line(report: ScanReport) -> str:
    """Return how many plugins there are, in a sentence."""
    broken = sum(plugin.state == "broken" for plugin in report.plugins)
    return f"{len(report.plugins)} plugins, scripts and projects, {broken} of them broken."

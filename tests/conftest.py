"""What all tests share: an environment of their own, and none of the machine's settings."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from treadle.testing.postgresql import PostgresqlServer

settings.register_profile("treadle", deadline=None)
settings.load_profile("treadle")


def pytest_configure(config: pytest.Config) -> None:
    """Keep every test away from the home folders of whoever runs it."""
    ours = ("TREADLE_", "PREFECT_", "DASK_", "FLECHE_")
    for name in [name for name in os.environ if name.startswith(ours)]:
        del os.environ[name]
    os.environ.pop("PYTHONUNBUFFERED", None)  # it would hide output that is lost in a buffer
    folder = Path(tempfile.mkdtemp(prefix="treadle-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    os.environ.update(
        TREADLE_HOME=str(folder / "treadle"),
        PREFECT_HOME=str(folder / "prefect"),
        XDG_CONFIG_HOME=str(folder / "config"),
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        DO_NOT_TRACK="1",
    )
    _let_children_be_interrupted()


def _let_children_be_interrupted() -> None:
    """Undo what a shell does to commands in its background: their children would ignore Ctrl-C as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    """A server for all tests; without PostgreSQL they are skipped, but never where CI wants to know."""
    from treadle.testing.postgresql import postgresql_programs, postgresql_server

    programs = postgresql_programs()
    if programs is None:
        reason = "PostgreSQL is not installed"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with postgresql_server(programs) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip, with the reason, what this machine has no program for."""
    if shutil.which("chromium") is None:
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="Chromium is not installed"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the trials of the chaos tests came to."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    trials = [
        value
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == "chaos"
    ]
    if not trials:
        return
    kills = sum((Counter(trial["kills"]) for trial in trials), Counter[str]())
    terminalreporter.section(f"chaos, seed {trials[0]['seed']}")
    by_victim = ", ".join(f"{count} {victim}" for victim, count in sorted(kills.items()))
    totals = {name: sum(trial[name] for trial in trials) for name in ("drives", "repeats", "losses")}
    terminalreporter.line(
        f"trials {len(trials)}, kills {kills.total()} ({by_victim}), drives {totals['drives']}, "
        f"finished units repeated {totals['repeats']}, losses {totals['losses']}"
    )

"""What a run of function units leaves behind in the database of Prefect's server."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.benchmarks.readings import Reading
from tests.benchmarks.site import Site

from treadle.testing.functions import nothing
from treadle.testing.prefect_database import DatabaseUse, database_use

STEPS = 3
QUIET_SECONDS = 3


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """A chain of no-op steps, after a small run that has filled what every first run fills."""
    task = site.add_function(nothing)
    count = 400 if quick else 3_400
    site.drive(site.submit([task] * STEPS, 5))
    before = _settled(site)
    site.drive(site.submit([task] * STEPS, count))
    after = _settled(site)
    yield Reading(
        what=f"{STEPS * count:,} no-op function units in {STEPS} steps",
        beside="",
        value=(after.used_bytes - before.used_bytes) / 1000,
        unit="kB more in Prefect's database",
        bound="at most",
        target=200,
        details={"rows_bytes": after.grown(before)},
    )


def _settled(site: Site) -> DatabaseUse:
    """Look when the server has stored what came in."""
    file = site.server.folder / "prefect.sqlite"
    use, since = database_use(file), time.monotonic()
    while time.monotonic() - since < QUIET_SECONDS:
        time.sleep(0.5)
        now = database_use(file)
        if now.tables != use.tables:
            use, since = now, time.monotonic()
    return use

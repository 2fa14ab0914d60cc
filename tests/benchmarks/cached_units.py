"""A step all of whose units were done before, by another run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.functions import nothing
from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import Site, item_urls

from treadle.ledger import units

_WORKFLOW = "reused"


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """Ours is a whole run again: keys of all units, fingerprints of their items, one look-up, records."""
    task = site.add_function(nothing)
    count = 200 if quick else 10_000
    folder = site.new_folder()
    site.drive(site.submit([task], count, items, workflow=_WORKFLOW, folder=folder, cache=True))

    def again() -> float:
        run_id = site.submit([task], count, item_urls, workflow=_WORKFLOW, folder=folder, cache=True)
        seconds = site.drive(run_id).seconds
        with site.ledger.reading() as tx:
            assert all(unit.cached for unit in units.list_units(tx, run_id, 0))
        return seconds

    def anew() -> float:
        return site.drive(site.submit([task], count, items, cache=False)).seconds

    reused, ran = in_turn(1 if quick else 3, (count, again), (count, anew))
    what = f"a step of {count:,} no-op function units that were all done before"
    yield Reading(
        what=what,
        beside="",
        value=reused.seconds_per_unit * 1000,
        unit="ms a unit, all told",
        bound="at most",
        target=1,
        details={"treadle": reused.as_json()},
    )
    yield Reading(
        what=what,
        beside="the same step with `cache: false`",
        value=reused.seconds_per_unit / ran.seconds_per_unit,
        unit="times its time",
        bound="at most",
        target=None,
        details={"treadle": reused.as_json(), "beside": ran.as_json()},
    )


def items(folder: Path, count: int) -> list[str]:
    """Make so many items: folders with one small file, as images have."""
    urls = item_urls(folder, count)
    for url in urls:
        Path(url).mkdir()
        Path(url, "zarr.json").write_text("{}")
    return urls

"""Function units beside the same function on plain Dask and on prefect-dask."""

from __future__ import annotations

from collections.abc import Iterator

from tests.benchmarks.functions import nothing
from tests.benchmarks.readings import Reading, in_turn
from tests.benchmarks.site import Site


def measure(site: Site, *, quick: bool) -> Iterator[Reading]:
    """Ours is a whole run: flow run in Prefect, plan, ledger, workers, records, merge, the run's end."""
    task = site.add_function(nothing)
    count, few = (200, 5) if quick else (10_000, 300)

    def ours() -> float:
        return site.drive(site.submit([task], count)).seconds

    def other(way: str, units: int) -> float:
        command = ["tests.benchmarks.beside_dask", way, str(units), str(site.slots)]
        return float(site.answer(command))

    run, raw, tasks = in_turn(
        1 if quick else 3,
        (count, ours),
        (count, lambda: other("raw-dask", count)),
        (few, lambda: other("prefect-dask", few)),
    )
    what = f"{count:,} no-op function units, the status of each in the ledger"
    for beside, timed, target in (
        ("raw `Client.map` of the same function", raw, 5),
        (f"one Prefect task a unit through prefect-dask ({few} units)", tasks, 300),
    ):
        yield Reading(
            what=what,
            beside=beside,
            value=timed.seconds_per_unit / run.seconds_per_unit,
            unit="times its rate",
            bound="at least",
            target=target,
            details={"treadle": run.as_json(), "beside": timed.as_json()},
        )

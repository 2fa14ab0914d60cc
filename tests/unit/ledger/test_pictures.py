from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import JsonValue

from treadle.ledger import Ledger, units
from treadle.ledger.pictures import find_picture, pictures_of_step
from treadle.model.records import UnitRecord
from treadle.model.states import UnitState
from treadle.model.task import Part
from treadle.model.units import Unit


def ended(index: int, output: JsonValue, state: UnitState = UnitState.DONE) -> UnitRecord:
    return UnitRecord(
        index, state, None, None, output, 0, 1.0, 1.0, 1, "h", "w", datetime.now(UTC), None, 0, 0
    )


def record(ledger: Ledger, run_id: int, *records: UnitRecord) -> None:
    with ledger.writing() as tx:
        planned = [Unit(one.index, Part.PARALLEL, f"/data/{one.index}", {}) for one in records]
        units.plan_units(tx, run_id, 0, planned)
        units.record_units(tx, run_id, 0, records)


def test_pictures_come_in_the_order_of_units_and_are_counted(
    ledger: Ledger, add_run: Callable[[], int]
) -> None:
    run_id = add_run()
    record(
        ledger,
        run_id,
        ended(0, None),
        ended(1, {"pictures": ["/data/a.png", {"path": "/data/b.png", "title": "B"}]}),
        ended(2, {"pictures": []}),
        ended(3, {"image_list_removals": [], "pictures": ["/data/c.png"]}),
        ended(4, {"pictures": ["/data/d.png"]}, UnitState.FAILED),
        ended(5, {"parallelization_list": [{"zarr_url": "/data/x", "init_args": {"pictures": ["/e"]}}]}),
    )

    with ledger.reading() as tx:
        everything, declaring = pictures_of_step(tx, run_id, 0, 10)
        some, _ = pictures_of_step(tx, run_id, 0, 1)
        none = pictures_of_step(tx, run_id, 1, 10)

    assert [(one.unit, one.number, one.picture.path) for one in everything] == [
        (1, 0, "/data/a.png"),
        (1, 1, "/data/b.png"),
        (3, 0, "/data/c.png"),
    ]
    assert [one.picture.title for one in everything] == [None, "B", None]
    assert (len(some), declaring, none) == (1, 2, ([], 0))


def test_only_declared_pictures_are_found(ledger: Ledger, add_run: Callable[[], int]) -> None:
    run_id = add_run()
    record(ledger, run_id, ended(0, {"pictures": ["/data/a.png"]}), ended(1, None))

    with ledger.reading() as tx:
        found = find_picture(tx, run_id, 0, 0, 0)
        others = [find_picture(tx, run_id, *place) for place in [(0, 0, 1), (0, 0, -1), (0, 1, 0), (1, 0, 0)]]

    assert found is not None
    assert found.path == "/data/a.png"
    assert others == [None] * 4

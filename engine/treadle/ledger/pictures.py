"""Pictures that units declared in their outputs."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue
from sqlalchemy import Text, cast, func, select
from sqlalchemy.sql.expression import ColumnElement

from treadle.errors import OutputInvalid
from treadle.ledger.database import Transaction
from treadle.ledger.tables import units
from treadle.model.outputs import Picture, parse_unit_output
from treadle.model.states import UnitState


@dataclass(frozen=True, slots=True)
class DeclaredPicture:
    """A picture of a run.

    Attributes:
        unit: Index of the unit that declared it.
        number: Its place among those of the unit.
        zarr_url: The item that the unit worked on.
        picture: Where it is, and its title.
    """

    unit: int
    number: int
    zarr_url: str | None
    picture: Picture


def pictures_of_step(
    tx: Transaction, run_id: int, position: int, limit: int
) -> tuple[list[DeclaredPicture], int]:
    """The first pictures of a step in the order of units, and how many units declared any.

    Args:
        tx: A transaction.
        run_id: The run.
        position: The step's place in the plan.
        limit: How many pictures at most.
    """
    declaring = _declaring(run_id, position)
    number = tx.scalar(select(func.count()).where(*declaring)) or 0
    if not number:
        return [], 0
    query = select(units.c.index, units.c.zarr_url, units.c.output).where(*declaring)
    found = [
        DeclaredPicture(index, place, zarr_url, picture)
        for index, zarr_url, output in tx.execute(query.order_by(units.c.index).limit(limit))
        for place, picture in enumerate(_pictures(output))
    ]
    return found[:limit], number


def find_picture(tx: Transaction, run_id: int, position: int, unit: int, number: int) -> Picture | None:
    """One picture of a unit that is done; None if it declared no such one."""
    query = select(units.c.output).where(*_declaring(run_id, position), units.c.index == unit)
    rows = tx.execute(query).all()
    pictures = _pictures(rows[0][0]) if rows else ()
    return pictures[number] if 0 <= number < len(pictures) else None


def _pictures(output: JsonValue) -> tuple[Picture, ...]:
    """The pictures of an output; none of one that says something else, as that of an init call does."""
    declared = output.get("pictures") if isinstance(output, dict) else None
    try:
        return parse_unit_output({"pictures": declared}).pictures if declared else ()
    except OutputInvalid:
        return ()


def _declaring(run_id: int, position: int) -> tuple[ColumnElement[bool], ...]:
    text = cast(units.c.output, Text)
    of_step = (units.c.run_id == run_id, units.c.position == position, units.c.state == UnitState.DONE)
    # as the column's type writes them; what an init call asks for may hold anything
    is_declared = text.like('%"pictures":[%') & ~text.like('%"pictures":[]%')
    return (*of_step, is_declared, ~text.like('{"parallelization_list":%'))

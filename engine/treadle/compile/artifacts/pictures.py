"""Pictures that a step's units declared, inline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from treadle.compile.artifacts.links import picture_path
from treadle.compile.artifacts.markdown import picture, plain
from treadle.ledger.pictures import DeclaredPicture

MOST_SHOWN = 12


def pictures_text(
    run_id: int, position: int, shown: Sequence[DeclaredPicture], declaring: int, folder: str
) -> str:
    """Return pictures as markdown, and how many units declared more.

    Args:
        run_id: The run.
        position: The step's place in the plan.
        shown: The first pictures, in the order of units.
        declaring: How many units declared any.
        folder: The dataset's folder.
    """
    parts = []
    for one in shown:
        name = one.picture.title or PurePosixPath(one.picture.path).name
        path = picture_path(run_id, position, one.unit, one.number)
        parts.append(f"**{plain(name)}**\n\n{picture(name, path)}")
    more = declaring - len({one.unit for one in shown})
    if more > 0:
        units = "1 more unit" if more == 1 else f"{more} more units"
        parts.append(f"Pictures of {units} are not shown here; all are in {plain(folder)}")
    return "\n\n".join(parts)

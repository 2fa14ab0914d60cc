"""Act on Parts, second part: do what was asked for, once for each part of an item."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import ANSWERING, answer

if TYPE_CHECKING:
    from types import SimpleNamespace


def act_on_parts(asked: SimpleNamespace) -> object:
    """Return what was asked for."""
    return answer(asked, [asked.zarr_url])


PART = Part("ActOnParts", ("zarr_url", "init_args"), ANSWERING, act_on_parts)


if __name__ == "__main__":
    run(PART)

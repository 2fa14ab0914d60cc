"""Act on All Items: do what was asked for, once for all items together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle_tasks_mock.command import Part, run
from treadle_tasks_mock.items import ANSWERING, answer

if TYPE_CHECKING:
    from types import SimpleNamespace


def act_on_all_items(asked: SimpleNamespace) -> object:
    """Return what was asked for."""
    return answer(asked, asked.zarr_urls)


PART = Part("ActOnAllItems", ("zarr_dir", "zarr_urls"), ANSWERING, act_on_all_items)


if __name__ == "__main__":
    run(PART)

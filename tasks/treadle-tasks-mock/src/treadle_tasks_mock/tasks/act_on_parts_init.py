"""Act on Parts, first part: list the units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle_tasks_mock.arguments import COUNT, Argument
from treadle_tasks_mock.command import Part, run

if TYPE_CHECKING:
    from types import SimpleNamespace

PARTS = Argument("parts", COUNT, 1, "Units for each item; with 0 there are none at all.")


def act_on_parts_init(asked: SimpleNamespace) -> dict[str, Any]:
    """List the units: each item as often as it has parts."""
    units = [
        {"zarr_url": url, "init_args": {"part": part}}
        for url in asked.zarr_urls
        for part in range(asked.parts)
    ]
    return {"parallelization_list": units}


PART = Part("ActOnPartsInit", ("zarr_dir", "zarr_urls"), (PARTS,), act_on_parts_init)


if __name__ == "__main__":
    run(PART)

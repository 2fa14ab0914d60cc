"""What a unit that is done has left behind: the items it worked on, and what it says that it made."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pydantic import JsonValue

from treadle.errors import Indigestible
from treadle.execute.fingerprints import fingerprint
from treadle.model.outputs import parse_init_output, parse_unit_output

logger = logging.getLogger(__name__)


def made_by(output: JsonValue, *, is_init: bool) -> list[str]:
    """Return where items are that a unit returned or removed, or asks others to work on, and its pictures."""
    if is_init:
        return [item.zarr_url for item in parse_init_output(output).parallelization_list]
    said = parse_unit_output(output)
    return [
        *(update.zarr_url for update in said.image_list_updates),
        *said.image_list_removals,
        *(picture.path for picture in said.pictures),
    ]


def left_behind(urls: Iterable[str], *, by_content: bool) -> dict[str, JsonValue] | None:
    """Return the fingerprints of what a unit worked on and made, by URL; None if one cannot be taken."""
    try:
        return {url: fingerprint(url, by_content=by_content).to_json() for url in dict.fromkeys(urls)}
    except Indigestible as error:
        logger.info("unit_not_kept error=%s", error)
        return None

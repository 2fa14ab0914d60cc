"""JSON files that people hand in."""

from __future__ import annotations

import json
from pathlib import Path

from treadle.errors import TreadleError


def read_json(path: Path, error: type[TreadleError]) -> object:
    """Read a JSON file.

    Args:
        path: The file.
        error: What to raise if it cannot be read or is not JSON; it says so with the place.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise error(f"{path} cannot be read: {cause.strerror}.", remedy="Check the path.") from cause
    except UnicodeDecodeError as cause:
        raise error(f"{path} is not text in UTF-8.", remedy="Give a JSON file.") from cause
    except json.JSONDecodeError as cause:
        where = f"line {cause.lineno}, column {cause.colno}"
        raise error(
            f"{path} is not valid JSON: {cause.msg} at {where}.", remedy="Correct it there."
        ) from cause

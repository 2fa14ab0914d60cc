"""Pictures that a task declares, so that engines which show such things show them.

An engine says in the environment variable `TASK_OUTPUT_KEYS` which keys of an output it takes beyond those
that every engine takes. An engine that does not say so would refuse an output with `pictures`, so it gets
none.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

VARIABLE = "TASK_OUTPUT_KEYS"


def declared(path: Path, title: str) -> dict[str, Any] | None:
    """What a task returns that wrote a picture and changed nothing else.

    Args:
        path: The picture.
        title: What it shows.
    """
    if "pictures" not in os.environ.get(VARIABLE, "").split(","):
        return None
    return {"pictures": [{"path": str(path), "title": title}]}

"""Says what tasks a package's functions are: `python -I -B derive.py ENTRY_POINTS`.

ENTRY_POINTS is a JSON list of `{"name", "module", "attribute"}`; no attribute means all marked functions.

The answer is one JSON document on standard output, `{"tasks": [...], "problems": [...]}`; what the package
itself prints goes to standard error. A package may do anything when it is imported: no answer, or another
exit status than 0, means that it ended this process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
import types
from pathlib import Path
from typing import NoReturn

PRIVATE_NAME = "_treadle_programs"


def main(request: str) -> NoReturn:
    """Answer one request."""
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.set_inheritable(answer.fileno(), False)
    found = _load("functions").find_tasks(json.loads(request))
    answer.write(json.dumps(found))
    answer.close()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # the package may have closed it
            stream.flush()
    os._exit(0)  # what the package has started, such as threads, need not come to an end


def _load(program: str) -> types.ModuleType:
    folder = Path(__file__).resolve().parent
    spec = importlib.util.spec_from_file_location(
        PRIVATE_NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None  # noqa: S101 - a file of that ending always has one
    sys.modules[PRIVATE_NAME] = importlib.util.module_from_spec(spec)
    return importlib.import_module(f"{PRIVATE_NAME}.{program}")


if __name__ == "__main__":
    main(sys.argv[1])

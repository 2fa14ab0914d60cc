"""Scripts and notebooks: what is run or loaded instead of being imported by a name that is its own.

What stands in one is known by its file. In the process that runs it its module is called `__main__`; a worker
imports it like any module, and notes here that it is a script.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType

_RUN = frozenset({"__main__", "__mp_main__", "<run_path>"})
"""How the modules of scripts are called by Python, by processes that it spawns, and by `runpy`."""

_seen: dict[str, bool] = {}


def note_script(module: str) -> None:
    """Note, before it is imported, that the module of that name is a script."""
    _seen[module] = True


def is_script(module: str) -> bool:
    """Whether the module of that name is a script, a notebook, or a file that Prefect loaded."""
    seen = _seen.get(module)
    if seen is not None:
        return seen
    loaded = sys.modules.get(module)
    if loaded is None:
        return module in _RUN
    _seen[module] = module in _RUN or _is_by_prefect(loaded)
    return _seen[module]


def _is_by_prefect(module: ModuleType) -> bool:
    """Prefect calls the module of a flow's file as the file, and gives it a path like that of a package."""
    file = getattr(module, "__file__", None)
    return file is not None and hasattr(module, "__path__") and not Path(file).name.startswith("__init__.")


def file_of(variables: Mapping[str, object]) -> str | None:
    """Return the file of a script or notebook; None where there is none, or nobody says.

    Args:
        variables: Those of its module.
    """
    in_jupyter = os.environ.get("JPY_SESSION_NAME", "")
    notebook = in_jupyter if in_jupyter.endswith(".ipynb") else None
    told = (variables.get("__file__"), variables.get("__vsc_ipynb_file__"), notebook)
    file = next((file for file in told if isinstance(file, str) and file), None)
    return None if file is None else _real(file)


def find_script(file: str) -> ModuleType | None:
    """Return the module of a script or notebook that this process runs, or has loaded and was asked about."""
    for name in ("__main__", *(name for name, is_one in _seen.copy().items() if is_one)):
        module = sys.modules.get(name)
        if module is not None and file_of(vars(module)) == file:
            return module
    return None


@lru_cache(maxsize=256)
def _real(file: str) -> str:
    return os.path.realpath(file)

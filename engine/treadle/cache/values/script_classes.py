"""Classes of scripts and notebooks in pickles: the one that the script has, wherever the script is loaded.

The name of such a class says nothing in another process, so cloudpickle and dill put a copy of it into the
pickle, and what comes out is no instance of the script's own class. Here the class is named by the script's
file, and the copy is for who has not loaded the script.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable

from treadle.scripts import file_of, find_script, is_script

Reduced = tuple[Callable[..., object], tuple[object, ...]]


def reduce_class(value: object) -> Reduced | None:
    """Reduce a class of a script; None for all else, and for what the script does not have under its name."""
    if not (isinstance(value, type) and is_script(str(value.__module__))):
        return None
    module = sys.modules.get(str(value.__module__))
    file = None if module is None else file_of(vars(module))
    if file is None or _class(file, value.__qualname__) is not value:
        return None
    import cloudpickle  # type: ignore[import-untyped]  # it ships no types

    return script_class, (file, value.__qualname__, cloudpickle.dumps(value))


def script_class(file: str, qualname: str, copy: bytes) -> object:
    """Return a script's class, or else the copy of it."""
    return _class(file, qualname) or pickle.loads(copy)  # noqa: S301 - within a pickle that is being loaded


def _class(file: str, qualname: str) -> type | None:
    found: object = find_script(file)
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found if isinstance(found, type) else None

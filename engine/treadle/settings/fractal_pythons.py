"""The interpreters that an older Fractal server is told of (Fractal 3.1), as values of ours."""

from __future__ import annotations

import os
import re
from pathlib import Path

from treadle.errors import SettingsInvalid
from treadle.settings.layers import Layer

_PREFIX = "FRACTAL_TASKS_PYTHON_"
_DEFAULT = f"{_PREFIX}DEFAULT_VERSION"
_VERSIONED = re.compile(rf"{_PREFIX}3_(\d+)$")


def fractal_pythons_layer() -> Layer:
    """Read `FRACTAL_TASKS_PYTHON_3_N` and `FRACTAL_TASKS_PYTHON_DEFAULT_VERSION`.

    Without a default version the interpreters do not count, as in Fractal: environments are built on the
    one that is configured otherwise, and the place of `pythons` tells so.

    Raises:
        SettingsInvalid: An interpreter has no absolute path, or the default version has no interpreter.
    """
    found = {f"3.{minor}": (variable, path) for minor, variable, path in _interpreters()}
    default = os.environ.get(_DEFAULT, "").strip()
    for variable, path in found.values():
        if not path.is_absolute():
            raise SettingsInvalid(
                f"environment variable {variable}: {str(path)!r} is no absolute path.",
                remedy="Write the whole path of the interpreter, such as /usr/bin/python3.11.",
            )
    if default and default not in found:
        variable = f"{_PREFIX}{default.replace('.', '_')}"
        raise SettingsInvalid(
            f"environment variable {_DEFAULT}: there is no interpreter of version {default!r}.",
            remedy=f"Set {variable}; set are: {', '.join(found) or 'none'}.",
        )
    variables = ", ".join(variable for variable, _ in found.values())
    if not default:
        ignored = f"default ({variables} without {_DEFAULT}: not followed)"
        return Layer({}, {"pythons": ignored} if found else {})
    values = {"pythons": {version: path for version, (_, path) in found.items()}, "python": found[default][1]}
    return Layer(
        values,
        {
            "pythons": f"environment variable{'s' if len(found) > 1 else ''} {variables}",
            "python": f"environment variables {_DEFAULT}, {found[default][0]}",
        },
    )


def _interpreters() -> list[tuple[int, str, Path]]:
    """Minor version, variable and path of each that is set; an empty variable is none."""
    matches = ((_VERSIONED.match(variable), variable) for variable in os.environ)
    return sorted(
        (int(match[1]), variable, Path(os.environ[variable].strip()))
        for match, variable in matches
        if match and os.environ[variable].strip()
    )

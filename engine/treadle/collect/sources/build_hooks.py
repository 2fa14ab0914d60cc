"""Program for build environments: call the hooks of a project's build backend (PEP 517, PEP 660).

Usage: `python build_hooks.py ASKED ANSWER` in the project's folder. ASKED is a JSON file with `backend`,
`backend_path`, `kind` (`wheel` or `editable`), `folder` for the wheel, and `installed`, the requirements
that were asked for before. ANSWER becomes a JSON file: `requires` if more has to be installed first, or
`wheel`, the name of the file that was built. Works on every Python from 3.9 without
anything installed.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

_EDITABLE = {"editable_mode": "compat"}
"""Makes setuptools name the folder in a .pth file, as other backends do, instead of an import hook."""


def main() -> None:
    """Do what the module says."""
    asked_file, answer_file = sys.argv[1:]
    with open(asked_file, encoding="utf-8") as file:  # noqa: PTH123 - as the other programs
        asked = json.load(file)
    os.dup2(2, 1)  # what the backend prints belongs to the log
    answer = _build(asked, _backend(asked["backend"], asked["backend_path"]))
    with open(answer_file, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(answer, file)


def _backend(name: str, paths: list[str]) -> object:
    root = os.path.realpath(os.curdir)
    places = [os.path.realpath(path) for path in paths]
    for place in places:
        if os.path.commonpath([root, place]) != root:
            sys.exit(f"backend-path names {place}, which is outside of the project.")
    sys.path[:0] = places
    module, _, attributes = name.partition(":")
    found: object = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


def _build(asked: dict[str, object], backend: object) -> dict[str, object]:
    kind = asked["kind"]
    build = getattr(backend, f"build_{kind}", None)
    if build is None:
        sys.exit(f"The build backend {asked['backend']} makes no {kind} wheels.")
    wanted = getattr(backend, f"get_requires_for_build_{kind}", None)
    settings = _EDITABLE if kind == "editable" else {}
    requires = sorted(map(str, wanted(dict(settings)))) if wanted else []
    if not set(requires) <= set(asked["installed"]):  # type: ignore[call-overload] # a list of texts
        return {"requires": requires}
    return {"wheel": str(build(asked["folder"], dict(settings), None))}


if __name__ == "__main__":
    main()

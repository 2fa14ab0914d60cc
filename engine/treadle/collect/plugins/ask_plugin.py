"""Program for a throw-away process: import one plugin, and write down what it says of itself.

Runs in an environment of the plugin's own; only the standard library, and Python 3.9 on.
"""

from __future__ import annotations

import importlib
import json
import sys
import traceback
from typing import Any


def main(folder: str, module: str, output: str) -> None:
    """Import a module from a folder, and write its plugin's members, or the traceback, to a file as JSON."""
    sys.path.insert(0, folder)
    answer: dict[str, Any]
    try:
        importlib.import_module(module)
        answer = _describe(_only_plugin())
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, SystemExit too, is its answer
        answer = {"traceback": _traceback(error, folder)}
    with open(output, "w", encoding="utf-8") as file:  # noqa: PTH123 - as fast as it can be
        json.dump(answer, file)


def _only_plugin() -> Any:
    plugins = importlib.import_module("qhana_plugin_runner.util.plugins").QHAnaPluginBase.get_plugins()
    found = [
        plugin
        for plugin in plugins.values()
        if not any(type(plugin) in type(other).__mro__[1:] for other in plugins.values())
    ]
    if len(found) != 1:
        names = ", ".join(sorted(plugin.identifier for plugin in found))
        raise LookupError(f"importing it made {len(found)} plugins, not one: {names}")
    return found[0]


def _describe(plugin: Any) -> dict[str, Any]:
    try:
        requirements = plugin.get_requirements()
    except NotImplementedError:
        requirements = ""
    return {
        "name": plugin.name,
        "version": plugin.version,
        "description": plugin.description or "",
        "tags": list(plugin.tags or []),
        "requirements": requirements or "",
        "has_api": type(plugin).has_api,
    }


def _traceback(error: BaseException, folder: str) -> str:
    """The traceback from the plugin's own first line on, with names below its folder."""
    last = error.__traceback__
    while last is not None and not last.tb_frame.f_code.co_filename.startswith(folder):
        last = last.tb_next
    lines = traceback.format_exception(type(error), error, last)
    return "".join(lines).replace(f"{folder}/", "")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Plugins as `treadle plugins` prints them for people."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from treadle.cli.output import print_line, print_table
from treadle.collect.plugins.places import PlaceProblem
from treadle.collect.plugins.report import Installation, InstallReport, called
from treadle.ledger.plugins import PluginRecord

_SHORT = 70
_ROWS = (
    *("identifier", "name", "version", "kind", "state", "title", "type", "description", "tags"),
    *("takes", "gives", "has_api", "defined", "unknown", "derived", "package", "location"),
    *("provenance", "requirements", "problem"),
)


def print_plugins(plugins: Sequence[PluginRecord]) -> None:
    """Print a table of plugins, each problem in a few words."""
    rows = [
        (
            plugin.name or "?",
            plugin.version or "?",
            plugin.kind,
            plugin.state,
            plugin.location,
            _short(plugin),
        )
        for plugin in plugins
    ]
    columns = ["name", "version", "kind", "state", "location", "problem"]
    print_table(columns, rows, empty="No plugin: name their folders in PLUGIN_FOLDERS, and scan.")


def _short(plugin: PluginRecord) -> str:
    first = (plugin.problem or "").partition("\n")[0]
    return first if len(first) <= _SHORT else f"{first[: _SHORT - 4].rstrip()} ..."


def print_plugin(document: Mapping[str, object]) -> None:
    """Print what is known of a plugin, as its document has it; what is empty is left out."""
    point = document.get("entryPoint")
    lines = {"takes": _items(point, "dataInput"), "gives": _items(point, "dataOutput")}
    package = document.get("package")
    if isinstance(package, dict):
        lines["package"] = " ".join(package.values())
    for name in _ROWS:
        text = lines.get(name) or _text(document.get(name))
        if "\n" in text:
            print_line(name)
            print_line(textwrap.indent(text.strip("\n"), "    "))
        elif text:
            print_line(f"{name:<13} {text}")


def _items(point: object, key: str) -> str:
    """Inputs or outputs, a line each."""
    lines = []
    for item in point.get(key, []) if isinstance(point, dict) else []:
        name = item.get("parameter") or item.get("name", "")
        optional = "" if item["required"] else ", optional"
        lines.append(f"{name} {item['dataType']} ({', '.join(item['contentType'])}){optional}\n".lstrip())
    return "".join(lines)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items() if text)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def print_places(problems: Sequence[PlaceProblem]) -> None:
    """Print which places could not be looked into, and why."""
    for place in problems:
        print_line()
        print_line(f"{place.problem.what} {place.problem.remedy}".strip())
        if place.problem.detail:
            print_line(textwrap.indent(place.problem.detail.strip("\n"), "    "))


def print_report(report: InstallReport) -> None:
    """Print what an installation did, or would do: `+` is new, `~` another version, `-` goes."""
    for installation in report.installations:
        _print_installation(installation, dry_run=report.dry_run)
    for name, versions in report.differing.items():
        users = "; ".join(f"{version} for {', '.join(plugins)}" for version, plugins in versions.items())
        print_line(f"{name} differs, which is no conflict: {users}.")
    print_places(report.problems)
    if not report.installations:
        print_line("No plugin: name their folders in PLUGIN_FOLDERS.")


def _print_installation(installation: Installation, *, dry_run: bool) -> None:
    name, difference = called(installation.plugin), installation.difference
    if installation.problem is not None:
        print_line(f"{name}: fails. {installation.problem.what} {installation.problem.remedy}".rstrip())
        if installation.problem.detail:
            print_line(textwrap.indent(installation.problem.detail.strip("\n"), "    "))
        return
    verb = "would be installed" if dry_run else "is installed"
    distributions = "distribution" if len(installation.packages) == 1 else "distributions"
    print_line(f"{name}: {verb}, {len(installation.packages)} {distributions}.")
    changes = [("+", difference.added), ("~", difference.changed), ("-", difference.removed)]
    for sign, packages in changes:
        for package in packages:
            print_line(f"  {sign} {package}")

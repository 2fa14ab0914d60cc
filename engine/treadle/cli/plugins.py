"""`treadle plugins`: what is in the folders and git repositories of plugins, and installing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.collect.plugins import Installation, InstallReport
    from treadle.collect.plugins.places import PlaceProblem
    from treadle.ledger.plugins import PluginRecord

app = typer.Typer(help="Plugins of folders and git repositories.", no_args_is_help=True)

_SHORT = 70
_ROWS = (
    *("identifier", "name", "version", "kind", "state", "description", "tags", "has_api", "defined"),
    *("unknown", "derived", "package", "location", "provenance", "requirements", "problem"),
)


@app.callback()
def _plugins() -> None: ...


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins, scripts and projects that the last scan found."""
    from treadle.cli.output import print_json
    from treadle.cli.session import open_session
    from treadle.ledger import plugins

    with open_session() as session, session.ledger.reading() as tx:
        found = [plugin for plugin in plugins.list_plugins(tx) if _is_shown(plugin)]
    if as_json:
        print_json({"plugins": [_summary(plugin) for plugin in found]})
    else:
        _print_plugins(found)


@app.command("show")
def show_plugin(
    name: Annotated[str, typer.Argument(help="Identifier, location, or a name for its newest version.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a plugin, and what is wrong with it."""
    from treadle.cli.output import print_json
    from treadle.cli.session import open_session
    from treadle.collect.plugins.identifiers import newest
    from treadle.collect.plugins.installing import choose
    from treadle.ledger import packages, plugins

    with open_session() as session, session.ledger.reading() as tx:
        known = [plugin for plugin in plugins.list_plugins(tx) if _is_shown(plugin)]
        collected = {package.id: package for package in packages.list_packages(tx)}
    found = choose(known, [name])
    whole = [plugin for plugin in found if plugin.state != "broken"] or found
    plugin = newest(whole) or whole[0]
    package = collected.get(plugin.package_id or 0)
    document = {
        **_summary(plugin),
        **_metadata(plugin),
        "package": package and {"name": package.name, "version": package.version},
    }
    if as_json:
        print_json(document)
    else:
        _print_plugin({**document, "package": package and f"{package.name} {package.version}"})


@app.command()
def scan(as_json: AsJson = False) -> None:
    """Look into every folder and git repository of plugins; 1 if something is broken."""
    from treadle.cli.output import note, print_json
    from treadle.cli.session import open_session
    from treadle.collect import Progress
    from treadle.collect.plugins import scan as look

    with open_session() as session:
        report = look(session.settings, session.ledger, Progress(note))
    if as_json:
        print_json(
            {"plugins": [_summary(plugin) for plugin in report.plugins], "problems": _places(report.problems)}
        )
    else:
        _print_plugins(report.plugins)
        _print_places(report.problems)
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def install(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Identifiers, names or locations; all if none is given."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Resolve only: show what would be installed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give each plugin an environment of its own; 1 if one of them fails, which hinders no other."""
    from treadle.cli.output import note, print_json
    from treadle.cli.session import open_session
    from treadle.collect import Progress
    from treadle.collect.plugins import install as install_plugins

    with open_session() as session:
        report = install_plugins(
            session.settings, session.ledger, Progress(note), names=names or (), dry_run=dry_run
        )
    if as_json:
        print_json(
            {
                "dry_run": report.dry_run,
                "failed": report.failed,
                "plugins": [_installed(installation) for installation in report.installations],
                "problems": _places(report.problems),
                "differing": report.differing,
            }
        )
    else:
        _print_report(report)
    raise typer.Exit(1 if report.failed else 0)


def _is_shown(plugin: PluginRecord) -> bool:
    """What is gone is of interest only as long as its environment is there."""
    return plugin.state != "gone" or plugin.package_id is not None


def _summary(plugin: PluginRecord) -> dict[str, object]:
    return {
        "id": plugin.id,
        "identifier": plugin.identifier,
        "name": plugin.name,
        "version": plugin.version,
        "kind": plugin.kind,
        "state": plugin.state,
        "problem": plugin.problem,
        "origin": plugin.origin,
        "location": plugin.location,
        "seen_at": plugin.seen_at,
    }


def _metadata(plugin: PluginRecord) -> dict[str, object]:
    from treadle.collect.plugins.description import Description

    description = Description.of(plugin)
    metadata = description.reading.metadata
    return {
        "description": metadata.description,
        "tags": metadata.tags,
        "requirements": metadata.requirements,
        "has_api": metadata.has_api,
        "defined": metadata.defined,
        "unknown": metadata.unknown,
        "derived": metadata.derived,
        "provenance": description.provenance,
    }


def _installed(installation: Installation) -> dict[str, object]:
    return {
        **_summary(installation.plugin),
        "problem": installation.problem and str(installation.problem),
        "packages": installation.packages,
        "added": installation.difference.added,
        "changed": installation.difference.changed,
        "removed": installation.difference.removed,
        "environment": installation.environment_id,
        "built": installation.built,
    }


def _places(problems: Sequence[PlaceProblem]) -> list[dict[str, object]]:
    return [
        {"origin": place.origin, "problem": str(place.problem), "missing": place.missing}
        for place in problems
    ]


def _print_plugins(plugins: Sequence[PluginRecord]) -> None:
    from treadle.cli.output import print_table

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


def _print_plugin(document: dict[str, object]) -> None:
    import textwrap

    from treadle.cli.output import print_line

    for name in _ROWS:
        text = _text(document[name])
        if "\n" in text:
            print_line(name)
            print_line(textwrap.indent(text.strip("\n"), "    "))
        elif text:
            print_line(f"{name:<13} {text}")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, dict):
        return ", ".join(f"{name} {text}" for name, text in value.items() if text)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _print_places(problems: Sequence[PlaceProblem]) -> None:
    import textwrap

    from treadle.cli.output import print_line

    for place in problems:
        print_line()
        print_line(f"{place.problem.what} {place.problem.remedy}".strip())
        if place.problem.detail:
            print_line(textwrap.indent(place.problem.detail.strip("\n"), "    "))


def _print_report(report: InstallReport) -> None:
    from treadle.cli.output import print_line

    for installation in report.installations:
        _print_installation(installation, dry_run=report.dry_run)
    for name, versions in report.differing.items():
        users = "; ".join(f"{version} for {', '.join(plugins)}" for version, plugins in versions.items())
        print_line(f"{name} differs, which is no conflict: {users}.")
    _print_places(report.problems)
    if not report.installations:
        print_line("No plugin: name their folders in PLUGIN_FOLDERS.")


def _print_installation(installation: Installation, *, dry_run: bool) -> None:
    import textwrap

    from treadle.cli.output import print_line
    from treadle.collect.plugins.report import called

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

"""`treadle plugins`: what is in the folders and git repositories of plugins, and installing it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.ledger.plugins import PluginRecord

app = typer.Typer(help="Plugins of folders and git repositories.", no_args_is_help=True)


@app.callback()
def _plugins() -> None: ...


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins, scripts and projects that the last scan found."""
    from treadle.cli.output import print_json
    from treadle.cli.plugin_documents import plugin_document
    from treadle.cli.plugin_tables import print_plugins
    from treadle.cli.session import open_session
    from treadle.ledger import plugins

    with open_session() as session, session.ledger.reading() as tx:
        found = [plugin for plugin in plugins.list_plugins(tx) if _is_shown(plugin)]
    if as_json:
        print_json({"plugins": [plugin_document(plugin) for plugin in found]})
    else:
        print_plugins(found)


@app.command("show")
def show_plugin(
    name: Annotated[str, typer.Argument(help="Identifier, location, or a name for its newest version.")],
    as_json: AsJson = False,
) -> None:
    """Show what is known of a plugin, and what is wrong with it."""
    from treadle.cli.output import print_json
    from treadle.cli.plugin_documents import metadata_document, plugin_document
    from treadle.cli.plugin_tables import print_plugin
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
        **plugin_document(plugin),
        **metadata_document(plugin),
        "package": package and {"name": package.name, "version": package.version},
    }
    if as_json:
        print_json(document)
    else:
        print_plugin(document)


@app.command()
def scan(as_json: AsJson = False) -> None:
    """Look into every folder and git repository of plugins; 1 if something is broken."""
    from treadle.cli.output import note, print_json
    from treadle.cli.plugin_documents import place_documents, plugin_document
    from treadle.cli.plugin_tables import print_places, print_plugins
    from treadle.cli.session import open_session
    from treadle.collect import Progress
    from treadle.collect.plugins.scanning import scan as look

    with open_session() as session:
        report = look(session.settings, session.ledger, Progress(note))
    if as_json:
        found = [plugin_document(plugin) for plugin in report.plugins]
        print_json({"plugins": found, "problems": place_documents(report.problems)})
    else:
        print_plugins(report.plugins)
        print_places(report.problems)
    raise typer.Exit(1 if report.failed else 0)


@app.command()
def install(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Identifiers, names or locations; all if none is given."),
    ] = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-d", help="Resolve only: show what would be installed.")
    ] = False,
    only_with_tests: Annotated[
        bool, typer.Option("--only-with-tests", help="Only plugins that bring tests of their own.")
    ] = False,
    skip_runner_dependencies: Annotated[  # of older callers: there is no runner in a plugin's environment
        bool, typer.Option("--skip-runner-dependencies", "-s", hidden=True)
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give each plugin an environment of its own; 1 if one of them fails, which hinders no other."""
    from treadle.cli.output import note, print_json
    from treadle.cli.plugin_documents import report_document
    from treadle.cli.plugin_tables import print_report
    from treadle.cli.session import open_session
    from treadle.collect import Progress
    from treadle.collect.plugins.installing import install as install_plugins

    del skip_runner_dependencies
    with open_session() as session:
        report = install_plugins(
            session.settings,
            session.ledger,
            Progress(note),
            names=names or (),
            dry_run=dry_run,
            only_with_tests=only_with_tests,
        )
    if as_json:
        print_json(report_document(report))
    else:
        print_report(report)
    raise typer.Exit(1 if report.failed else 0)


def _is_shown(plugin: PluginRecord) -> bool:
    """What is gone is of interest only as long as its environment is there."""
    return plugin.state != "gone" or plugin.package_id is not None

"""`treadle collect`: a task package into an environment of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from treadle.cli.options import AsJson


def collect(
    source: Annotated[
        str, typer.Argument(help="name[extra]==version, the path of a folder, or the path of a wheel.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Resolve only: show what would be installed, build nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Collect a task package into an environment of its own."""
    if dry_run:
        _preview(source, as_json=as_json)
        return
    from dataclasses import asdict

    from treadle.cli.output import note, print_json, print_line, print_table
    from treadle.cli.packages import task_rows
    from treadle.cli.session import open_session
    from treadle.collect import collect as collect_package

    with open_session() as session:
        collected = collect_package(source, settings=session.settings, ledger=session.ledger, progress=note)
    package, environment = collected.package, collected.environment
    if as_json:
        tasks = [{"name": task.name, "type": task.type} for task in collected.tasks]
        described = {key: value for key, value in asdict(environment).items() if key != "lock"}
        print_json(
            {
                "package": package,
                "tasks": tasks,
                "environment": described,
                "new": collected.new,
                "seconds": collected.seconds,
            }
        )
        return
    verb = "Collected" if collected.new else "Already collected:"
    print_line(f"{verb} {package.name} {package.version}, {package.tasks} tasks, {collected.seconds:.1f} s.")
    print_line(f"Environment {environment.id} in {environment.path}")
    print_table(["task", "type", "needs", "gives"], task_rows(collected.tasks))


def _preview(source: str, *, as_json: bool) -> None:
    from treadle.cli.output import note, print_json, print_line
    from treadle.cli.session import open_session
    from treadle.collect import preview

    with open_session() as session:
        found = preview(source, settings=session.settings, ledger=session.ledger, progress=note)
    if as_json:
        print_json(found)
        return
    print_line(f"{found.name} {found.version} would be installed as {len(found.packages)} distributions:")
    for package in found.packages:
        print_line(f"  {package}")
    state = "is built already" if found.ready else "would be built"
    print_line(f"Environment {found.environment_id} {state}.")

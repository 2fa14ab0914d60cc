"""`treadle package check`: what is wrong with a task package, before its release."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.collect.checks.package import PackageCheck


def check_package(
    folder: Annotated[Path, typer.Argument(help="Folder of the package's pyproject.toml.")],
    as_json: AsJson = False,
) -> None:
    """Check a task package before its release: everything that is wrong, at once."""
    from treadle.cli.output import note, print_json
    from treadle.collect import Progress
    from treadle.collect.checks import package
    from treadle.settings import load_settings

    checked = package.check_package(
        folder.expanduser().resolve(), settings=load_settings(), progress=Progress(note)
    )
    if as_json:
        print_json(
            {
                "ok": not checked.problems,
                "name": checked.name,
                "version": checked.version,
                "tasks": [{"name": task.name, "type": task.type} for task in checked.tasks],
                "problems": checked.problems,
            }
        )
    else:
        _print(checked, folder)
    raise typer.Exit(1 if checked.problems else 0)


def _print(checked: PackageCheck, folder: Path) -> None:
    import textwrap

    from treadle.cli.output import print_line, print_table
    from treadle.cli.packages import task_rows

    named = f"{checked.name} {checked.version}" if checked.name else str(folder)
    if not checked.problems:
        print_line(f"{named} is in order.")
        print_table(["task", "type", "needs", "gives"], task_rows(checked.tasks))
        return
    count = len(checked.problems)
    print_line(f"{named} has {count} problem{'' if count == 1 else 's'}:")
    for problem in checked.problems:
        print_line(str(problem))
        if problem.detail:
            print_line(textwrap.indent(problem.detail.strip("\n"), "    "))

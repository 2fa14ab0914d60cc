"""`treadle task bindings`: a package's tasks as a typed Python module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from treadle.cli.packages import Version


def write_bindings(
    package: Annotated[str, typer.Argument(help="Name of a collected package.")],
    version: Version = None,
    output: Annotated[
        Path | None, typer.Option(help="File to write, such as mock_tasks.py; the screen if not given.")
    ] = None,
) -> None:
    """Write a package's tasks as a typed Python module, for editors and type checkers."""
    from treadle.authoring.bindings import bindings
    from treadle.cli.output import note, print_line
    from treadle.cli.packages import load_package
    from treadle.cli.session import open_session
    from treadle.errors import StorageFull
    from treadle.ledger import packages

    with open_session() as session, session.ledger.reading() as tx:
        found = load_package(tx, package, version)
        tasks = [entry.task for entry in packages.list_tasks(tx, package)]
    text = bindings([task for task in tasks if task.version == found.version])
    if output is None:
        print_line(text.rstrip())
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageFull(f"The file {output} cannot be written: {error.strerror}.") from error
    note(f"Wrote the tasks of {found.name} {found.version} to {output}.")

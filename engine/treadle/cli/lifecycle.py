"""`treadle package deactivate` and the like: what becomes of collected packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.cli.packages import Version

if TYPE_CHECKING:
    from treadle.ledger.packages import PackageRecord

Name = Annotated[str, typer.Argument(help="Name of the package.")]


def deactivate(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Free what a package takes on disk; its lock stays."""
    from treadle.collect.lifecycle import deactivate as act

    _change(act, name, version, "is inactive", as_json=as_json)


def reactivate(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Build the environment of an inactive package again, exactly as it was."""
    from treadle.collect.lifecycle import reactivate as act

    _change(act, name, version, "is active", as_json=as_json)


def delete(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Forget a package and its tasks, unless a workflow uses it."""
    from treadle.collect.lifecycle import delete as act

    _change(act, name, version, "is deleted", as_json=as_json)


def repair(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Build the environment of a package again if it is damaged or has lost its interpreter."""
    from treadle.collect.lifecycle import repair as act

    _change(act, name, version, "can be used", as_json=as_json)


def _change(
    act: Callable[..., PackageRecord], name: str, version: str | None, outcome: str, *, as_json: bool
) -> None:
    from treadle.cli.output import note, print_json, print_line
    from treadle.cli.packages import load_package
    from treadle.cli.session import open_session
    from treadle.collect import Progress

    with open_session() as session:
        with session.ledger.reading() as tx:
            package = load_package(tx, name, version)
        changed = act(package.id, settings=session.settings, ledger=session.ledger, progress=Progress(note))
    if as_json:
        print_json({"package": changed})
    else:
        print_line(f"{changed.name} {changed.version} {outcome}.")

"""`treadle package deactivate` and the like: what becomes of collected packages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.cli.packages import Version

if TYPE_CHECKING:
    from treadle.ledger.tables import Action

Name = Annotated[str, typer.Argument(help="Name of the package.")]


def deactivate(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Free what a package takes on disk; its lock stays."""
    _change("deactivate", name, version, "is inactive", as_json=as_json)


def reactivate(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Build the environment of an inactive package again, exactly as it was."""
    _change("reactivate", name, version, "is active", as_json=as_json)


def delete(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Forget a package and its tasks, unless a workflow uses it."""
    _change("delete", name, version, "is deleted", as_json=as_json)


def repair(name: Name, version: Version = None, as_json: AsJson = False) -> None:
    """Build the environment of a package again if it is damaged or has lost its interpreter."""
    _change("repair", name, version, "can be used", as_json=as_json)


def _change(action: Action, name: str, version: str | None, outcome: str, *, as_json: bool) -> None:
    from treadle.cli.output import note, print_json, print_line
    from treadle.cli.packages import load_package
    from treadle.cli.session import open_session
    from treadle.runs.activity import Watcher
    from treadle.runs.changing import change_recorded

    with open_session() as session:
        with session.ledger.reading() as tx:
            package = load_package(tx, name, version)
        changed = change_recorded(
            action, package, settings=session.settings, ledger=session.ledger, watcher=Watcher(tell=note)
        )
    if as_json:
        print_json({"package": changed})
    else:
        print_line(f"{changed.name} {changed.version} {outcome}.")

"""`treadle env`: the environments that packages are installed in."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from treadle.ledger import Transaction
    from treadle.ledger.packages import EnvironmentRecord

app = typer.Typer(help="Environments that packages are installed in.", no_args_is_help=True)

_AGE = re.compile(r"(\d+)([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
_MEGABYTE = 1e6


@app.command("list")
def list_environments(as_json: AsJson = False) -> None:
    """List all environments with their state, size and packages."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.collect.lifecycle import heal
    from treadle.ledger import lifecycle, packages

    with open_session() as session:
        heal(session.settings, session.ledger)
        with session.ledger.reading() as tx:
            found = [(record, lifecycle.holders(tx, record.id)) for record in packages.list_environments(tx)]
    if as_json:
        print_json({"environments": [{**_described(record), "packages": held} for record, held in found]})
        return
    rows = [
        (
            record.id,
            record.state,
            record.python_version,
            f"{record.size_bytes / _MEGABYTE:.0f} MB",
            record.used_at,
            ", ".join(f"{holder.name} {holder.version}" for holder in held),
        )
        for record, held in found
    ]
    columns = ["environment", "state", "python", "size", "used", "packages"]
    print_table(columns, rows, empty="No environment yet: collect a package with `treadle collect`.")


@app.command()
def show(
    environment: Annotated[str, typer.Argument(metavar="ID", help="Its id, or how the id begins.")],
    *,
    log: Annotated[bool, typer.Option("--log", help="Print what its build said.")] = False,
    freeze: Annotated[bool, typer.Option("--freeze", help="Print all that is installed.")] = False,
    tree: Annotated[bool, typer.Option("--tree", help="Print what is installed by what needs it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show an environment: its packages, what it takes on disk, and how it was built."""
    from pathlib import Path

    from treadle.cli.output import print_json, print_line
    from treadle.cli.session import open_session
    from treadle.collect.environments.build import read_record
    from treadle.collect.environments.removal import measure
    from treadle.collect.lifecycle import heal
    from treadle.ledger import lifecycle

    with open_session() as session:
        heal(session.settings, session.ledger)
        with session.ledger.reading() as tx:
            record = _load(tx, environment)
            held = lifecycle.holders(tx, record.id)
    folder = Path(record.path)
    wanted = [name for name, asked in (("log", log), ("freeze", freeze), ("tree", tree)) if asked]
    texts = {name: read_record(folder, name) for name in ("log", "freeze", "tree")}
    if wanted and not as_json:
        for name in wanted:
            print_line((texts[name] or _not_there(record, name)).rstrip("\n"))
        return
    ours = record.state == "ready" and texts["freeze"] is not None
    size = measure(folder) if ours else None
    if as_json:
        sizes = {"own_bytes": size.own, "shared_bytes": size.shared} if size else {}
        kept = {name: texts[name] for name in wanted}
        print_json({**_described(record), **sizes, "packages": held, "lock": record.lock, **kept})
        return
    print_line(f"{record.id}, {record.state}")
    print_line(f"folder    {record.path}")
    print_line(f"python    {record.python_version}, {record.python}")
    print_line(f"built     {record.created_at.astimezone():%Y-%m-%d %H:%M}, in {record.build_seconds:.1f} s")
    print_line(
        f"used      {record.used_at.astimezone():%Y-%m-%d %H:%M}" if record.used_at else "used      never"
    )
    if size:
        print_line(
            f"size      {size.own / _MEGABYTE:.1f} MB of its own, {size.shared / _MEGABYTE:.1f} MB shared"
        )
    for holder in held:
        print_line(f"package   {holder.name} {holder.version}{'' if holder.active else ', inactive'}")


@app.command()
def gc(
    older_than: Annotated[
        str, typer.Option(metavar="AGE", help="How long nobody used it: 30d, 12h or 0d.")
    ] = "30d",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove environments, wheels and bytecode that no active package needs."""
    from treadle.cli.output import note, print_json, print_line, print_table
    from treadle.cli.session import open_session
    from treadle.collect import Progress
    from treadle.collect.lifecycle import collect_garbage

    age = parse_age(older_than)
    with open_session() as session:
        removed = collect_garbage(
            older_than=age,
            dry_run=dry_run,
            settings=session.settings,
            ledger=session.ledger,
            progress=Progress(note),
        )
    freed = sum(garbage.size_bytes for garbage in removed)
    if as_json:
        print_json({"dry_run": dry_run, "freed_bytes": freed, "removed": removed})
        return
    rows = [
        (garbage.kind, garbage.name, f"{garbage.size_bytes / _MEGABYTE:.1f} MB", garbage.reason)
        for garbage in removed
    ]
    print_table(["kind", "name", "size", "reason"], rows, empty="Nothing is left over.")
    if removed:
        print_line(f"{freed / _MEGABYTE:.1f} MB {'would be' if dry_run else 'are'} free.")


def parse_age(text: str) -> timedelta:
    """Read a duration such as `30d`, `12h` or `5m`.

    Raises:
        UsageError: It is none.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"--older-than {text!r} is no duration.", remedy="Write days, hours or minutes: 30d."
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _described(record: EnvironmentRecord) -> dict[str, object]:
    from dataclasses import asdict

    return {name: value for name, value in asdict(record).items() if name != "lock"}


def _load(tx: Transaction, text: str) -> EnvironmentRecord:
    from treadle.ledger import packages

    known = packages.list_environments(tx)
    found = [record for record in known if record.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    problem = f"Several environments begin with {text}." if found else f"There is no environment {text!r}."
    raise UnknownName(problem, remedy="See `treadle env list`.")


def _not_there(record: EnvironmentRecord, name: str) -> str:
    raise UsageError(
        f"The {name} of {record.id} is not there: the environment is {record.state}.",
        remedy="It is kept inside an environment that was built by Treadle, and removed with it.",
    )

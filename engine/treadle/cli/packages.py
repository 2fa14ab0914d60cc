"""`treadle package` and `treadle task`: what has been collected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.ledger import Transaction
    from treadle.ledger.packages import PackageRecord
    from treadle.model.task import InstalledTask, Task

package_app = typer.Typer(help="Collected task packages.", no_args_is_help=True)
task_app = typer.Typer(help="Tasks of the collected packages.", no_args_is_help=True)

Version = Annotated[str | None, typer.Option(help="Version; the newest if not given.")]


def task_rows(tasks: Sequence[Task]) -> list[tuple[str, ...]]:
    """Return table rows: name, type, the types that a task's items must have and get."""
    return [
        (task.name, task.type, flags_text(task.input_types), flags_text(task.output_types)) for task in tasks
    ]


def flags_text(types: dict[str, bool]) -> str:
    """Return types as `is_3D, not masked`."""
    return ", ".join(name if value else f"not {name}" for name, value in types.items())


@package_app.command("list")
def list_packages(as_json: AsJson = False) -> None:
    """List the collected packages."""
    from dataclasses import asdict

    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.collect.lifecycle import heal
    from treadle.ledger import packages
    from treadle.runs.availability import package_state

    with open_session() as session:
        heal(session.settings, session.ledger)
        with session.ledger.reading() as tx:
            states = {record.id: record.state for record in packages.list_environments(tx)}
            found = [
                (entry, package_state(entry, states.get(entry.environment_id)))
                for entry in packages.list_packages(tx)
            ]
    if as_json:
        print_json({"packages": [{**asdict(entry), "state": state} for entry, state in found]})
        return
    rows = [
        (
            entry.name,
            entry.version,
            state,
            entry.tasks,
            entry.owner,
            entry.group,
            entry.origin,
            entry.source,
            entry.created_at,
        )
        for entry, state in found
    ]
    columns = ["package", "version", "state", "tasks", "owner", "group", "origin", "source", "collected"]
    print_table(columns, rows, empty="No package yet: collect one with `treadle collect`.")


@package_app.command("show")
def show_package(
    name: Annotated[str, typer.Argument(help="Name of the package.")],
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Show a package, its environment and its tasks."""
    from dataclasses import asdict

    from treadle.cli.output import print_json, print_line, print_table
    from treadle.cli.session import open_session
    from treadle.collect.lifecycle import heal
    from treadle.ledger import packages
    from treadle.runs.availability import package_state

    with open_session() as session:
        heal(session.settings, session.ledger)
        with session.ledger.reading() as tx:
            package = load_package(tx, name, version)
            environment = packages.get_environment(tx, package.environment_id)
            installed = packages.list_tasks(tx, package.name)
    state = package_state(package, None if environment is None else environment.state)
    tasks = [entry.task for entry in installed if entry.task.version == package.version]
    if as_json:
        print_json(
            {
                "package": {**asdict(package), "state": state},
                "environment": None if environment is None else asdict(environment),
                "tasks": tasks,
            }
        )
        return
    print_line(
        f"{package.name} {package.version}, collected {package.created_at.astimezone():%Y-%m-%d %H:%M}"
    )
    print_line(f"state        {state}")
    print_line(f"owner        {package.owner}{f', group {package.group}' if package.group else ''}")
    print_line(f"source       {package.source} ({package.origin})")
    print_line(f"environment  {package.environment_id}")
    if environment is not None:
        size = environment.size_bytes / 1e6
        print_line(f"             {environment.path}")
        print_line(f"             Python {environment.python_version}, {size:.0f} MB, {environment.state}")
    print_line()
    print_table(["task", "type", "needs", "gives"], task_rows(tasks))


def load_package(tx: Transaction, name: str, version: str | None) -> PackageRecord:
    """Return the package of this name and version; the newest if none is given.

    Raises:
        UnknownName: There is none; lists those that are collected.
    """
    from treadle.errors import UnknownName
    from treadle.ledger import packages

    package = packages.find_package(tx, name, version)
    if package is not None:
        return package
    known = ", ".join(f"{entry.name} {entry.version}" for entry in packages.list_packages(tx))
    raise UnknownName(
        f"No package {name!r}{f' of version {version}' if version else ''} is collected.",
        remedy=f"Collected are: {known}." if known else "Collect it with `treadle collect`.",
    )


@task_app.command("list")
def list_tasks(
    package: Annotated[str | None, typer.Option(help="Only tasks of this package.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks of all collected packages."""
    from treadle.cli.output import print_json, print_table
    from treadle.cli.session import open_session
    from treadle.ledger import packages

    with open_session() as session, session.ledger.reading() as tx:
        found = packages.list_tasks(tx, package)
    if as_json:
        keys = {"package", "version", "name", "type", "category", "input_types", "output_types"}
        print_json({"tasks": [{"id": entry.id, **entry.task.model_dump(include=keys)} for entry in found]})
        return
    rows = [(entry.task.package, entry.task.version, *task_rows([entry.task])[0]) for entry in found]
    columns = ["package", "version", "task", "type", "needs", "gives"]
    print_table(columns, rows, empty="No task yet: collect a package with `treadle collect`.")


@task_app.command("show")
def show_task(
    name: Annotated[str, typer.Argument(help="Name of the task.")],
    package: Annotated[str | None, typer.Option(help="Its package, where several have such a task.")] = None,
    version: Version = None,
    as_json: AsJson = False,
) -> None:
    """Show a task: what it does, its arguments and its resources."""
    from treadle.cli.output import print_json
    from treadle.cli.session import open_session
    from treadle.ledger import packages

    with open_session() as session, session.ledger.reading() as tx:
        found = packages.list_tasks(tx, package)
    entry = _choose(found, name, version)
    if as_json:
        print_json(entry)
    else:
        _print_task(entry)


def _choose(found: Sequence[InstalledTask], name: str, version: str | None) -> InstalledTask:
    from treadle.errors import UnknownName, UsageError

    named = [entry for entry in found if entry.task.name == name]
    named = [entry for entry in named if version in {None, entry.task.version}]
    if not named:
        known = ", ".join(sorted({repr(entry.task.name) for entry in found}))
        remedy = f"Tasks are: {known}." if known else "Collect its package with `treadle collect`."
        raise UnknownName(
            f"No collected package has a task {name!r}{f' {version}' if version else ''}.", remedy=remedy
        )
    owners = sorted({entry.task.package for entry in named})
    if len(owners) > 1:
        what = f"Several packages have a task {name!r}: {', '.join(owners)}."
        raise UsageError(what, remedy="Name one with --package.")
    return named[-1]


def _print_task(entry: InstalledTask) -> None:
    from treadle.cli.output import print_line, print_table
    from treadle.model.task import Part

    task = entry.task
    print_line(f"{task.name}: {task.type} task of {task.package} {task.version}")
    for text in (task.docs_info, task.docs_link):
        if text:
            print_line(text.strip())
    if task.input_types:
        print_line(f"needs items that are {flags_text(task.input_types)}")
    if task.output_types:
        print_line(f"gives items that are {flags_text(task.output_types)}")
    for part in Part:
        if part not in task.type.parts:
            continue
        called = task.part(part)
        print_line()
        resources = ", ".join(f"{key}={value}" for key, value in called.meta.items())
        print_line(f"{part}: {called.executable or called.function}{f' ({resources})' if resources else ''}")
        if called.args_schema is not None:
            print_table(
                ["argument", "type", "default", "meaning"],
                _argument_rows(called.args_schema),
                empty="It takes no arguments.",
            )


def _argument_rows(schema: Mapping[str, object]) -> list[tuple[str, ...]]:
    import json

    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    properties = schema.get("properties")
    rows: list[tuple[str, ...]] = []
    for name, value in (properties if isinstance(properties, dict) else {}).items():
        rule = value if isinstance(value, dict) else {}
        default = json.dumps(rule["default"]) if "default" in rule else ("required" if name in needed else "")
        rows.append((name, str(rule.get("type", "")), default, str(rule.get("description", ""))))
    return rows

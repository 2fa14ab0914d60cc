"""`treadle collect`: a task package into an environment of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson
from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.collect import Collected, CollectOptions


def collect(
    source: Annotated[
        str,
        typer.Argument(
            help="name[extra]==version, ./folder, ./file.whl, ./file.tar.gz, ./script.py or "
            "git+URL@ref#subdirectory=folder."
        ),
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Resolve only: show what would be installed, build nothing.")
    ] = False,
    python: Annotated[
        str | None, typer.Option(help="Version out of the setting pythons, or path of an interpreter.")
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(help="NAME==VERSION that the resolution has to keep to; may be repeated."),
    ] = None,
    override: Annotated[
        list[str] | None,
        typer.Option(help="NAME==VERSION installed whatever the packages ask for; may be repeated."),
    ] = None,
    exclude_newer: Annotated[
        str | None, typer.Option(help="Date or time; what the index got later is not seen.")
    ] = None,
    build: Annotated[
        list[str] | None,
        typer.Option(help="Distribution that may be built if it has no wheel; may be repeated."),
    ] = None,
    editable: Annotated[
        bool, typer.Option("--editable", help="Use the folder's own files, not a copy of them.")
    ] = False,
    interpreter: Annotated[
        Path | None,
        typer.Option(help="Interpreter that has the tasks installed; the source is their manifest then."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="With --interpreter: name of the package.")] = None,
    version: Annotated[str | None, typer.Option(help="With --interpreter: its version.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="With --interpreter: folder that the executables are relative to.")
    ] = None,
    module: Annotated[
        str | None, typer.Option(help="With --interpreter: import name of the package, instead of --root.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Collect a task package into an environment of its own."""
    from treadle.collect import CollectOptions

    custom = {"--name": name, "--version": version, "--root": root, "--module": module}
    given = [option for option, value in custom.items() if value is not None]
    if interpreter is None and given:
        raise UsageError(f"{', '.join(given)} goes with --interpreter only.")
    options = CollectOptions(
        python=python,
        pins=_versions(pin or [], "--pin"),
        overrides=_versions(override or [], "--override"),
        exclude_newer=exclude_newer,
        builds=tuple(build or ()),
        editable=editable,
    )
    if interpreter is not None:
        if dry_run or options != CollectOptions():
            raise UsageError(
                "--interpreter goes with no option of a build: nothing is resolved or installed.",
                remedy="Leave out all but --name, --version, --root and --module.",
            )
        _collect_custom(Path(source), interpreter, custom, as_json=as_json)
    elif dry_run:
        _preview(source, options, as_json=as_json)
    else:
        _collect(source, options, as_json=as_json)


def _versions(words: list[str], option: str) -> dict[str, str]:
    from packaging.version import InvalidVersion, Version

    versions = {}
    for word in words:
        name, equals, version = (part.strip() for part in word.partition("=="))
        try:
            Version(version)
        except InvalidVersion as error:
            raise UsageError(f"{option} {word} names no version.", remedy="Write NAME==VERSION.") from error
        if not (name and equals):
            raise UsageError(f"{option} {word} names no package.", remedy="Write NAME==VERSION.")
        versions[name] = version
    return versions


def _collect(source: str, options: CollectOptions, *, as_json: bool) -> None:
    from treadle.cli.collecting import collect_here
    from treadle.cli.session import open_session

    with open_session() as session:
        collected = collect_here(source, options, session)
    _print(collected, as_json=as_json)


def _collect_custom(
    manifest: Path, interpreter: Path, custom: Mapping[str, str | Path | None], *, as_json: bool
) -> None:
    from treadle.cli.session import open_session
    from treadle.collect.custom import CustomPackage, collect_custom

    name, version, root, module = custom.values()
    if not name or not version:
        raise UsageError(
            "--interpreter needs a name and a version.", remedy="Give them with --name and --version."
        )
    package = CustomPackage(
        manifest=manifest,
        interpreter=interpreter,
        name=str(name),
        version=str(version),
        root=None if root is None else Path(root),
        module=None if module is None else str(module),
    )
    with open_session() as session:
        collected = collect_custom(package, ledger=session.ledger)
    _print(collected, as_json=as_json)


def _print(collected: Collected, *, as_json: bool) -> None:
    from dataclasses import asdict

    from treadle.cli.output import print_json, print_line, print_table
    from treadle.cli.packages import task_rows

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


def _preview(source: str, options: CollectOptions, *, as_json: bool) -> None:
    from treadle.cli.output import note, print_json, print_line
    from treadle.cli.session import open_session
    from treadle.collect import Progress, preview

    with open_session() as session:
        found = preview(
            source,
            settings=session.settings,
            ledger=session.ledger,
            progress=Progress(note),
            options=options,
        )
    if as_json:
        print_json(found)
        return
    print_line(f"{found.name} {found.version} would be installed as {len(found.packages)} distributions:")
    for package in found.packages:
        print_line(f"  {package}")
    state = "is built already" if found.ready else "would be built"
    print_line(f"Environment {found.environment_id} {state}.")

"""The commands put together, and what each ending means for the exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
import typer.core

from treadle.cli import (
    activities,
    bindings,
    cache,
    cancel,
    check,
    collect,
    config,
    datasets,
    demo,
    deploy,
    doctor,
    environments,
    explain,
    follow,
    history,
    lifecycle,
    notify,
    packages,
    plugins,
    resume,
    run,
    up,
    workflows,
)
from treadle.cli import (
    exec as execution,
)
from treadle.cli.errors import report_error, report_unexpected, report_usage
from treadle.errors import Cancelled, TreadleError


class _Commands(typer.core.TyperGroup):
    """Makes of Ctrl-C an error like the others; typer alone would only return its exit status."""

    def invoke(self, ctx: Any) -> Any:  # typer's own type of it is private
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Cancelled("Interrupted.") from error


app = typer.Typer(
    name="treadle",
    cls=_Commands,
    help="Run workflows of task packages on your data.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print(f"treadle {version('treadle')}")  # noqa: T201 - the answer itself
        raise typer.Exit


@app.callback()
def _treadle(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    del version


app.command()(demo.demo)
app.command()(collect.collect)
app.command()(run.run)
app.command()(resume.resume)
app.command()(deploy.deploy)
app.command()(follow.follow)
app.command()(cancel.cancel)
app.command()(history.runs)
app.command()(history.show)
app.command()(history.logs)
app.command()(explain.explain)
app.command()(up.up)
app.command()(doctor.doctor)
app.command("exec", context_settings=execution.PASSED_ON, options_metavar="COMMAND...")(execution.execute)
packages.package_app.command("check")(check.check_package)
for change in (lifecycle.deactivate, lifecycle.reactivate, lifecycle.delete, lifecycle.repair):
    packages.package_app.command()(change)
packages.task_app.command("bindings")(bindings.write_bindings)
app.add_typer(packages.package_app, name="package")
app.add_typer(environments.app, name="env")
app.add_typer(packages.task_app, name="task")
app.add_typer(activities.app, name="activity")
app.add_typer(plugins.app, name="plugins")
app.add_typer(datasets.app, name="dataset")
app.add_typer(workflows.app, name="workflow")
app.add_typer(deploy.app, name="deployment")
app.add_typer(notify.app, name="notify")
app.add_typer(cache.app, name="cache")
app.add_typer(config.app, name="config")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done; 1: failed; 2: the call was wrong; 130: interrupted.

    Args:
        arguments: The words after `treadle`; those of this process if None.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in words
    command = typer.main.get_command(app)
    try:
        status = command.main(words, prog_name="treadle", standalone_mode=False)
    except typer.TyperException as error:
        return report_usage(error, as_json=as_json)
    except TreadleError as error:
        return report_error(error, as_json=as_json)
    except Exception as error:  # noqa: BLE001 - the last place that can tell the user what happened
        return report_unexpected(error, as_json=as_json)
    return int(status or 0)

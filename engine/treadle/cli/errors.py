"""How an error is told: what happened, what to do, and another program's own words below."""

from __future__ import annotations

import sys
import textwrap
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.errors import TreadleError

if TYPE_CHECKING:
    import typer

ISSUES = "the issue tracker of Treadle"


def error_text(error: TreadleError) -> str:
    """Return an error as people read it, without a line end."""
    lines = [f"Error: {error.what}"]
    if error.remedy:
        lines.append(error.remedy)
    if error.detail:
        lines.append(textwrap.indent(error.detail.strip("\n"), "    "))
    return "\n".join(lines)


def report_error(error: TreadleError, *, as_json: bool) -> int:
    """Tell of an error on standard error, and on standard output too where JSON is expected there.

    Returns:
        The exit status that belongs to it.
    """
    _say(error_text(error))
    if as_json:
        from treadle.cli.output import print_json

        kind = type(error).__name__
        print_json(
            {"error": {"kind": kind, "what": error.what, "remedy": error.remedy, "detail": error.detail}}
        )
    return error.exit_code


def report_usage(error: typer.TyperException, *, as_json: bool) -> int:
    """Tell in one line what is wrong with the words of the command."""
    if type(error).__name__ == "NoArgsIsHelpError":
        _say(error.format_message())
        return error.exit_code
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "treadle"
    message = " ".join(error.format_message().split())
    problem = TreadleError(
        message if message.endswith((".", "?")) else f"{message}.", remedy=f"See `{command} --help`."
    )
    report_error(problem, as_json=as_json)
    return error.exit_code


def report_unexpected(error: Exception, *, as_json: bool) -> int:
    """Tell of a defect of Treadle; its traceback goes to a file."""
    what = f"Treadle itself failed: {type(error).__name__}: {error}"
    place = _save_traceback(error)
    remedy = f"This is a defect. Report it on {ISSUES} with the file {place}."
    return report_error(TreadleError(what, remedy=remedy), as_json=as_json)


def _save_traceback(error: Exception) -> Path:
    text = "".join([f"{' '.join(sys.argv)}\n\n", *traceback.format_exception(error)])
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = f"treadle-failure-{stamp}.txt"
    try:
        from treadle.settings import load_settings

        settings = load_settings()
        settings.create_home()
        folder = settings.logs_folder
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        path.write_text(text)
    except (TreadleError, OSError):
        import tempfile

        with tempfile.NamedTemporaryFile("w", prefix="treadle-failure-", suffix=".txt", delete=False) as file:
            file.write(text)
        path = Path(file.name)
    return path


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - standard error is where people read it

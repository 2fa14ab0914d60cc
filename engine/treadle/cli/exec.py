"""`treadle exec`: a command that finds this home's server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType

import typer

from treadle.errors import UsageError

PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
"""Words and options after the command's name are its own."""

FOR_OUR_SCREEN = frozenset({"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"})
"""What keeps Prefect's logs away from commands of Treadle; other commands show them."""


def execute(context: typer.Context) -> None:
    """Run a command with this home's server: prefect, or python with flows of your own.

    The server is started if none runs, and ends with the command. Prefect's address and secret are in the
    environment of the command alone. The exit status is the command's.
    """
    from treadle.api import client_environment, local_server
    from treadle.settings import load_settings

    if not context.args:
        raise UsageError("There is no command to run.", remedy="Such as: treadle exec prefect deploy --all")
    settings = load_settings()
    with local_server(settings) as server:
        told = client_environment(server)
        variables = {name: value for name, value in told.items() if name not in FOR_OUR_SCREEN}
        home = {"TREADLE_HOME": str(settings.home)}
        status = _run(context.args, {**os.environ, **variables, **home, "PATH": _path()})
    raise typer.Exit(status)


def _path() -> str:
    """Return where commands are looked for: the `prefect` and `python` of Treadle's own environment first."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join([own, *filter(None, [os.environ.get("PATH", os.defpath)])])


def _run(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command to its end, passing on what asks this process to end; return its status as shells do."""
    try:
        process = subprocess.Popen(words, env=environment)
    except OSError as error:
        raise UsageError(f"The command {words[0]!r} cannot be run: {error.strerror}.") from error

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, pass_on),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),  # the terminal sends it to both
    }
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status

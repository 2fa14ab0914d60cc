"""`treadle up`: the server, until it is interrupted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.api import Server


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; TREADLE_HOST if not given.")] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, 0 for any free one; TREADLE_PORT if not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start the server and its web pages; Ctrl-C ends them."""
    from contextlib import ExitStack

    from treadle.api import serve, serving_deployments
    from treadle.cli.output import note, print_json, print_line
    from treadle.settings import load_settings

    settings = load_settings({"host": host, "port": port})
    settings.create_home()

    def ready(server: Server) -> None:
        stack.enter_context(serving_deployments(settings, server))
        if as_json:
            print_json({"ui_url": server.ui_url, "api_url": server.api_url})
        else:
            print_line(f"Open {server.ui_url}")
        sys.stdout.flush()
        note("That URL carries the server's secret: give it to nobody. Ctrl-C ends.")

    note("Starting the server ...")
    with ExitStack() as stack:
        serve(settings, ready)
    note("Ended.")

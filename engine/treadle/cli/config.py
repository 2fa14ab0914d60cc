"""`treadle config`: the settings, and where each comes from."""

from __future__ import annotations

import typer

from treadle.cli.options import AsJson

app = typer.Typer(help="Settings.", no_args_is_help=True)


@app.callback()
def _config() -> None: ...


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting with its value, where it comes from, and what it means."""
    from treadle.cli.output import print_json, print_table
    from treadle.settings import describe, load_settings

    rows = describe(load_settings())
    if as_json:
        print_json({"settings": rows})
    else:
        print_table(
            ["setting", "value", "source", "meaning"],
            [(row.name, row.value or "(not set)", row.source, row.meaning) for row in rows],
        )

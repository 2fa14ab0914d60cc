"""`treadle config`: the settings, and where each comes from."""

from __future__ import annotations

import typer

from treadle.cli.options import AsJson

app = typer.Typer(help="Settings.", no_args_is_help=True)


@app.callback()
def _config() -> None: ...


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every setting with its value, where it comes from, and what it means; then those of caches."""
    from treadle.cache.config import describe_configuration
    from treadle.cli.output import print_json, print_line, print_table
    from treadle.settings import describe, load_settings

    rows = describe(load_settings())
    keys = describe_configuration()
    if as_json:
        print_json({"settings": rows, "cache": keys})
        return
    print_table(
        ["setting", "value", "source", "meaning"],
        [(row.name, row.value or "(not set)", row.source, row.meaning) for row in rows],
    )
    print_line()
    print_table(["cache", "value", "source"], [(key.name, key.value, key.source) for key in keys])

"""The `treadle` command.

Nothing here imports at module level what costs time (pydantic, rich, Prefect, Dask, SQLAlchemy): commands
import what they need when they are called, so that `treadle --help` answers at once.

::

    application.py    the commands put together, and what each ending means for the exit status
    errors.py         how an error is told
    output.py         tables for people, one JSON document for programs
    options.py        options that several commands share, and how their text is read
    session.py        settings and ledger of one command
    documents.py      JSON files that people hand in
    running.py        a run on this machine: server, cluster, drive, outcome
    progress.py       bars while a run goes on
    described.py      what runs and plans look like as JSON and as tables
    usage.py          what jobs and usage look like, likewise

Each other module is a command or a group of commands, under its own name.
"""

from treadle.cli.application import app, main

__all__ = ["app", "main"]

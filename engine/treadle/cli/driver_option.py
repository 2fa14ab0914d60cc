"""The option that says where the process is that drives a run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Place(StrEnum):
    """What `--driver` takes."""

    HERE = "here"
    JOB = "job"


Driver = Annotated[
    Place,
    typer.Option(
        "--driver",
        help="job: the run is driven from a SLURM job of its own, and goes on when this terminal is closed.",
    ),
]

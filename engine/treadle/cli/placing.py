"""Options that say where a run is to run, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from treadle.errors import UsageError

if TYPE_CHECKING:
    from treadle.model.overlay import Overlay

Cluster = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Where to run: local, slurm, or another that is described in treadle.toml."
    ),
]
Cpus = Annotated[int | None, typer.Option(metavar="N", help="CPUs of every unit of this run.")]
Memory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory of every unit: a number of MB, or such as 8G.")
]
Time = Annotated[str | None, typer.Option(metavar="TIME", help="What every unit may take, such as 02:00:00.")]
Gpus = Annotated[
    str | None,
    typer.Option(metavar="N", help="GPUs of every unit; the cluster's settings for GPUs hold for them."),
]
Partition = Annotated[str | None, typer.Option(metavar="NAME", help="Partition in which all jobs wait.")]
Account = Annotated[str | None, typer.Option(metavar="NAME", help="Account that all jobs are charged to.")]
Constraint = Annotated[
    str | None, typer.Option(metavar="FEATURES", help="Features that the nodes of all jobs must have.")
]
Directives = Annotated[
    list[str] | None,
    typer.Option(metavar="OPTION", help="Another option of sbatch for all jobs, such as --qos=long."),
]


def overrides(**named: object) -> Overlay:
    """Return the resources that the command line names; None is not named.

    Raises:
        UsageError: One of them cannot be so.
    """
    from pydantic import ValidationError

    from treadle.model.overlay import Overlay
    from treadle.model.problems import listed, problems_of

    try:
        return Overlay.model_validate({name: value for name, value in named.items() if value is not None})
    except ValidationError as error:
        problems = [f"--{text}".replace("--directives[", "--directive [") for text in problems_of(error)]
        raise UsageError(
            listed("The resources on the command line are not valid", problems),
            remedy="See treadle run --help.",
        ) from error

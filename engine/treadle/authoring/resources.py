"""What units need, in the words people use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypedDict

from pydantic import JsonValue, ValidationError

from treadle.errors import UsageError
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.problems import listed, problems_of
from treadle.model.slurm_time import limit_text

_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d)")
_META_KEYS = {"cpus": "cpus_per_task", "memory": "mem"}
OF_RUNS = ("account", "directives", "prologue")
"""Those that a step cannot name."""


class Resources(TypedDict, total=False):
    """What a unit needs; of a run, what all its units get.

    Attributes:
        cpus: Number of CPUs.
        memory: A number of MB, or a text such as `"4G"`.
        time: What it may take: `"90s"`, `"30m"`, `"1h"`, `"2d"`, or as SLURM has it, `"02:00:00"`.
        gpus: GPUs of a job.
        partition: Where jobs wait.
        constraint: Features of nodes.
        gres: Generic resources of a job.
        nodelist: Nodes to run on.
        exclude: Nodes not to run on.
        nodes: Number of nodes of a job.
        account: Whom jobs are charged to; of a run only.
        directives: More options of `sbatch`; of a run only.
        prologue: Shell lines that come before the worker; of a run only.
    """

    cpus: int
    memory: int | str
    time: str
    gpus: int | str
    partition: str
    constraint: str
    gres: str
    nodelist: str
    exclude: str
    nodes: int | str
    account: str
    directives: list[str]
    prologue: list[str]


def overlay(resources: Resources | None, of: str) -> Overlay:
    """Return the resources of a run.

    Args:
        resources: As the author named them.
        of: What they are of, for the error's text.

    Raises:
        UsageError: One of them cannot be so; every problem is named.
    """
    if not resources:
        return NOTHING_SAID
    try:
        return Overlay.model_validate({**resources, **_time(resources)})
    except ValidationError as error:
        raise UsageError(
            listed(f"The resources of {of} are not valid", problems_of(error)),
            remedy=f"They are {', '.join(Overlay.model_fields)}.",
        ) from error


def meta(resources: Resources | None, of: str) -> dict[str, JsonValue] | None:
    """Return the resources of a step as steps keep them; None if nothing is said.

    Raises:
        UsageError: One of them cannot be so, or is one of whole runs.
    """
    if not resources:
        return None
    refused = [name for name in OF_RUNS if name in resources]
    if refused:
        raise UsageError(
            f"The resources of {of} cannot name {', '.join(refused)}.", remedy="Name them when it is run."
        )
    said = overlay(resources, of).model_dump(mode="json", exclude_none=True)
    return {_META_KEYS.get(name, name): value for name, value in said.items()}


def _time(resources: Mapping[str, object]) -> dict[str, str]:
    time = resources.get("time")
    match = _DURATION.fullmatch(time.strip()) if isinstance(time, str) else None
    return {"time": limit_text(float(match[1]) * _SECONDS[match[2]])} if match else {}

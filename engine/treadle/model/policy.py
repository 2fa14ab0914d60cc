"""What a step does about units that fail: try them again, and how many may stay failed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictFloat, StrictInt

from treadle.model.constrained import Value

Seconds = Annotated[StrictFloat | StrictInt, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[StrictFloat | StrictInt, Field(ge=0, le=1, allow_inf_nan=False)]


class Retries(Value):
    """How often a unit that fails is tried.

    Attributes:
        attempts: How often in all; 1 is no retry.
        backoff_seconds: How long to wait before the second attempt; twice as long before each one after.
    """

    attempts: Annotated[StrictInt, Field(ge=1)] = 1
    backoff_seconds: Seconds = 0


class OnFailure(StrEnum):
    """What follows when units stay failed after all attempts: the end of the run, or the next step."""

    STOP = "stop"
    CONTINUE = "continue"


def is_tolerated(on_failure: OnFailure, threshold: float, units: int, failed: int) -> bool:
    """Whether a step is done although units failed.

    Args:
        on_failure: What the step says.
        threshold: Largest share of the units that may have failed.
        units: How many units the step has.
        failed: How many of them failed; a step of which all failed is never done.
    """
    return on_failure is OnFailure.CONTINUE and failed < units and failed <= threshold * units

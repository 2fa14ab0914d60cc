"""Resources as profiles and people name them, laid under or over what units need."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from treadle.model.constrained import Value
from treadle.model.resources import Count, MemoryMb
from treadle.model.sbatch_lines import check_directive, check_word, split_lines
from treadle.model.slurm_time import limit_seconds

FIELD_NAMES = {"memory": "memory_mb", "prologue": "extra_lines"}
"""What a value is called in `Resources`, where it has another name there."""


def _text(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else value


def _time(value: str) -> str:
    if value:
        limit_seconds(value)
    return value


def _word(value: str) -> str:
    return check_word(value) if value else value


def _lines(texts: tuple[str, ...]) -> tuple[str, ...]:
    split_lines(texts)
    return texts


Word = Annotated[str, BeforeValidator(_text), AfterValidator(_word)]
_Time = Annotated[str, BeforeValidator(_text), AfterValidator(_time)]
_Directive = Annotated[str, BeforeValidator(_text), AfterValidator(check_directive)]
_Lines = Annotated[tuple[str, ...], AfterValidator(_lines)]


class Overlay(Value):
    """Values for all units of a cluster or a run.

    None says nothing; an empty text says that there is to be none.
    """

    cpus: Count | None = Field(None, description="CPUs of a unit")
    memory: MemoryMb | None = Field(None, description="memory of a unit: MB, or a text such as '8G'")
    time: _Time | None = Field(None, description="what a unit may take, such as '02:00:00'")
    partition: Word | None = Field(None, description="where jobs wait")
    account: Word | None = Field(None, description="whom jobs are charged to")
    constraint: Word | None = Field(None, description="features of nodes")
    gpus: Word | None = Field(None, description="GPUs of a job")
    gres: Word | None = Field(None, description="generic resources of a job, such as 'gpu:1'")
    nodelist: Word | None = Field(None, description="nodes to run on")
    exclude: Word | None = Field(None, description="nodes not to run on")
    nodes: Word | None = Field(None, description="number of nodes of a job")
    directives: tuple[_Directive, ...] | None = Field(
        None, description="more options of `sbatch`, such as '--qos=long'"
    )
    prologue: _Lines | None = Field(None, description="shell lines that come before the worker")

    def given(self) -> dict[str, object]:
        """Return what it says, by the names of `Resources`; None where there is to be none."""
        return {
            FIELD_NAMES.get(name, name): getattr(self, name) or None
            for name in type(self).model_fields
            if getattr(self, name) is not None
        }


class DriverOverlay(Overlay):
    """Values for the job that drives a run: it needs little, and for long."""

    cpus: Count | None = Field(1, description="CPUs of the driver")
    memory: MemoryMb | None = Field(2000, description="memory of the driver")
    time: _Time | None = Field("1-00:00:00", description="what the longest run may take")


NOTHING_SAID = Overlay()

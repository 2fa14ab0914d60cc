"""A task with its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from treadle.model.task import Part, Task
from treadle.model.workflow import Step


@dataclass(frozen=True, slots=True)
class Call:
    """A task with its arguments, which fit the task's schema.

    Attributes:
        task: The task.
        arguments: By the part of the task that takes them.
    """

    task: Task
    arguments: Mapping[Part, Mapping[str, JsonValue]] = field(default_factory=dict)

    def step(self, name: str) -> Step:
        """Return a step of a workflow that makes this call."""
        return Step(
            name=name,
            task=self.task.ref,
            args_non_parallel=dict(self.arguments.get(Part.NON_PARALLEL, {})) or None,
            args_parallel=dict(self.arguments.get(Part.PARALLEL, {})) or None,
        )

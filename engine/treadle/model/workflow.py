"""Workflows: named steps, which of them need which, and the order that follows."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, JsonValue, model_validator

from treadle.model.constrained import JsonObject, Text, Types, Value
from treadle.model.task import Part, TaskRef


def _empty_is_none(value: object) -> object:
    return None if value == {} else value


Arguments = Annotated[JsonObject | None, BeforeValidator(_empty_is_none)]


class Step(Value):
    """One use of a task in a workflow.

    Attributes:
        name: Name of the step, unique in its workflow.
        task: The task it uses.
        args_non_parallel: The user's arguments of the single or init call; None where there are none.
        args_parallel: The user's arguments of the call per unit; None where there are none.
        meta_non_parallel: Resources of the single or init call that differ from the task's.
        meta_parallel: Resources of the call per unit that differ from the task's.
        type_filters: Types that its items must have, besides those that the task wants.
        needs: Names of the steps that must be done before.
    """

    name: Text
    task: TaskRef
    args_non_parallel: Arguments = None
    args_parallel: Arguments = None
    meta_non_parallel: JsonObject | None = None
    meta_parallel: JsonObject | None = None
    type_filters: Types = Field(default_factory=dict)
    needs: tuple[str, ...] = ()
    description: str | None = None

    def args(self, part: Part) -> dict[str, JsonValue]:
        """Return the user's arguments of one part."""
        return (self.args_parallel if part is Part.PARALLEL else self.args_non_parallel) or {}

    def meta(self, part: Part) -> dict[str, JsonValue]:
        """Return the step's own resources of one part, unparsed."""
        return (self.meta_parallel if part is Part.PARALLEL else self.meta_non_parallel) or {}


class Workflow(Value):
    """Named steps that form a graph without cycles."""

    name: Text
    description: str | None = None
    steps: tuple[Step, ...] = ()

    @model_validator(mode="after")
    def _is_a_graph(self) -> Self:
        problems = graph_problems([step.name for step in self.steps], [step.needs for step in self.steps])
        if problems:
            raise ValueError("; ".join(text for _, text in problems))
        return self

    def ordered(self) -> tuple[Step, ...]:
        """Return the steps in order of execution; of several that are ready, the first listed goes first."""
        position = {step.name: index for index, step in enumerate(self.steps)}
        sorter = TopologicalSorter({step.name: step.needs for step in self.steps})
        sorter.prepare()
        ready: list[int] = []
        order = []
        while sorter.is_active():
            for name in sorter.get_ready():
                heapq.heappush(ready, position[name])
            step = self.steps[heapq.heappop(ready)]
            sorter.done(step.name)
            order.append(step)
        return tuple(order)

    @property
    def is_chain(self) -> bool:
        """Whether each step needs the one before it, and nothing else."""
        order = self.ordered()
        return [step.needs for step in order] == chain_needs([step.name for step in order])


def chain_needs(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return what each step needs if nothing is said: the step before it."""
    return [(), *((name,) for name in names[:-1])][: len(names)]


def graph_problems(names: Sequence[str], needs: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Find what keeps steps from being a graph that can be ordered.

    Returns:
        The position of a step and what is wrong with it, for each problem.
    """
    problems = [
        (index, f"the name {name!r} is taken by an earlier step")
        for index, name in enumerate(names)
        if name in names[:index]
    ]
    for index, wanted in enumerate(needs):
        problems += [
            (index, f"needs {name!r}, which is no step") for name in sorted(set(wanted) - set(names))
        ]
        problems += [
            (index, f"needs {name!r} twice") for name in sorted(set(wanted)) if list(wanted).count(name) > 1
        ]
    cycle = _cycle(dict(zip(names, needs, strict=True)))
    if cycle:
        problems.append((names.index(cycle[0]), f"is part of a cycle: {' -> '.join(map(repr, cycle))}"))
    return problems


def _cycle(graph: Mapping[str, Sequence[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []

"""Workflows: named steps, which of them need which, and their JSON (Fractal 1.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, ValidationError, model_validator

from treadle.errors import WorkflowInvalid
from treadle.model.constrained import JsonObject, Text, Types, Value
from treadle.model.graph import between, chain_needs, execution_order, graph_problems
from treadle.model.policy import OnFailure, Retries, Share
from treadle.model.problems import found, listed, problem, problems_of
from treadle.model.reuse import CacheChoice
from treadle.model.task import Part, TaskRef


def _empty_is_none(value: object) -> object:
    return None if value == {} else value


def _no_number(value: object) -> object:
    if value is None or isinstance(value, bool) or value == "refresh":
        return value
    raise ValueError(f'must be true, false or "refresh", found {found(value)}')


Arguments = Annotated[JsonObject | None, BeforeValidator(_empty_is_none)]


Cache = Annotated[CacheChoice | None, BeforeValidator(_no_number)]


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
        retries: How often a unit that fails is tried.
        on_failure: What follows when units stay failed.
        failure_threshold: Largest share of the units that may have failed where the run is to continue.
        cache: Whether units are reused that were done before; None leaves it to the task.
    """

    name: Text
    task: TaskRef
    args_non_parallel: Arguments = None
    args_parallel: Arguments = None
    meta_non_parallel: JsonObject | None = None
    meta_parallel: JsonObject | None = None
    type_filters: Types = Field(default_factory=dict)
    needs: tuple[Text, ...] = ()
    description: str | None = None
    retries: Retries = Field(default_factory=Retries)
    on_failure: OnFailure = OnFailure.STOP
    failure_threshold: Share = 1
    cache: Cache = None

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
        problems = graph_problems(*self._graph())
        if problems:
            raise ValueError("; ".join(f"step {self.steps[index].name!r} {text}" for index, text in problems))
        return self

    def ordered(self) -> tuple[Step, ...]:
        """Return the steps in order of execution; of several that are ready, the first listed goes first."""
        return tuple(self.steps[index] for index in execution_order(*self._graph()))

    def part(self, first: str | None, last: str | None) -> Workflow:
        """Return the workflow of the steps from one to another, in order of execution.

        What they need of the steps before is taken as done.

        Args:
            first: Name of the step to begin with; None for the first of all.
            last: Name of the step to end with; None for the last of all.

        Raises:
            UnknownName: There is no such step.
            UsageError: The one to begin with comes after the one to end with.
        """
        names = [step.name for step in self.ordered()]
        chosen = between(names, first, last, owner=f"Workflow {self.name!r}")
        staying = {names[position] for position in chosen}
        steps = tuple(
            step.model_copy(update={"needs": tuple(need for need in step.needs if need in staying)})
            for step in self.steps
            if step.name in staying
        )
        return self.model_copy(update={"steps": steps})

    @property
    def is_chain(self) -> bool:
        """Whether each step needs the one before it, and nothing else."""
        order = self.ordered()
        return [step.needs for step in order] == chain_needs([step.name for step in order])

    def _graph(self) -> tuple[list[str], list[tuple[str, ...]]]:
        return [step.name for step in self.steps], [step.needs for step in self.steps]


def _no_attributes(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    if value:
        raise ValueError("must be empty, as steps have no attribute filters")
    return value


class _LegacyFilters(Value):
    attributes: Annotated[dict[str, JsonValue], AfterValidator(_no_attributes)] = Field(default_factory=dict)
    types: Types = Field(default_factory=dict)


class _StepDocument(Value):
    task: TaskRef
    args_non_parallel: Arguments = None
    args_parallel: Arguments = None
    meta_non_parallel: JsonObject | None = None
    meta_parallel: JsonObject | None = None
    type_filters: Types | None = None
    input_filters: _LegacyFilters | None = None
    alias: Text | None = None
    description: str | None = None
    needs: tuple[Text, ...] | None = None
    retries: Retries = Field(default_factory=Retries)
    on_failure: OnFailure = OnFailure.STOP
    failure_threshold: Share = 1
    cache: Cache = None

    def step(self, name: str, needs: Sequence[str]) -> Step:
        legacy = self.input_filters.types if self.input_filters else {}
        return Step(
            name=name,
            task=self.task,
            args_non_parallel=self.args_non_parallel,
            args_parallel=self.args_parallel,
            meta_non_parallel=self.meta_non_parallel,
            meta_parallel=self.meta_parallel,
            type_filters=self.type_filters or legacy,
            needs=tuple(needs),
            description=self.description,
            retries=self.retries,
            on_failure=self.on_failure,
            failure_threshold=self.failure_threshold,
            cache=self.cache,
        )


class _WorkflowDocument(Value):
    name: Text
    description: str | None = None
    task_list: list[object]


def workflow_from_json(data: object) -> Workflow:
    """Read a workflow's JSON, in Fractal's form with optional keys more.

    Those are, per step, `needs`, `retries`, `on_failure`, `failure_threshold` and `cache`; see `Step`.

    A step is named by its `alias`, else by its task; a name that is taken gets a number. A step
    without `needs` needs the one before it.

    Raises:
        WorkflowInvalid: Names every problem with its place.
    """
    if not isinstance(data, dict):
        raise WorkflowInvalid(f"A workflow must be an object, found {found(data)}.")
    problems: list[str] = []
    try:
        head = _WorkflowDocument.model_validate(data)
    except ValidationError as error:
        problems += problems_of(error)
    entries = data.get("task_list")
    entries = entries if isinstance(entries, list) else []
    documents = [_read_step(entry, f"task_list[{index}]", problems) for index, entry in enumerate(entries)]
    names = _step_names(entries)
    needs = _step_needs(entries, names)
    problems += [problem(["task_list", index], text) for index, text in graph_problems(names, needs)]
    if problems:
        raise WorkflowInvalid(listed("The workflow is not valid", problems))
    steps = [
        document.step(name, wanted)
        for document, name, wanted in zip(documents, names, needs, strict=True)
        if document is not None
    ]
    return Workflow(name=head.name, description=head.description, steps=tuple(steps))


def workflow_to_json(workflow: Workflow) -> dict[str, JsonValue]:
    """Write a workflow in Fractal's form; what Fractal does not know only where it says something."""
    chain = chain_needs([step.name for step in workflow.steps])
    document: dict[str, JsonValue] = {"name": workflow.name}
    if workflow.description is not None:
        document["description"] = workflow.description
    document["task_list"] = [
        _write_step(step, usual) for step, usual in zip(workflow.steps, chain, strict=True)
    ]
    return document


_POLICY = {"retries", "on_failure", "failure_threshold", "cache"}


def _write_step(step: Step, usual_needs: tuple[str, ...]) -> dict[str, JsonValue]:
    document: dict[str, JsonValue] = step.model_dump(
        mode="json", exclude_none=True, exclude={"name", "task", "needs", *_POLICY}
    )
    document |= step.model_dump(mode="json", exclude_defaults=True, include=_POLICY)
    document["task"] = step.task.model_dump(mode="json")
    if step.name != step.task.name:
        document["alias"] = step.name
    if step.needs != usual_needs:
        document["needs"] = list(step.needs)
    return document


def _read_step(entry: object, within: str, problems: list[str]) -> _StepDocument | None:
    if isinstance(entry, dict) and entry.get("input_filters") is not None and "type_filters" in entry:
        problems.append(problem(["input_filters"], "must not stand beside type_filters", within))
    try:
        return _StepDocument.model_validate(entry)
    except ValidationError as error:
        problems += problems_of(error, within)
        return None


def _step_names(entries: Sequence[object]) -> list[str]:
    taken: dict[str, None] = {}
    for index, entry in enumerate(entries):
        base = _own_name(entry) or f"task_list[{index}]"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base} ({number})"
        taken[name] = None
    return list(taken)


def _own_name(entry: object) -> str:
    """Return the name a raw entry asks for; empty where it has none, which is reported elsewhere."""
    if not isinstance(entry, Mapping):
        return ""
    task = entry.get("task")
    candidates = [entry.get("alias"), task.get("name") if isinstance(task, Mapping) else None]
    return next((name.strip() for name in candidates if isinstance(name, str) and name.strip()), "")


def _step_needs(entries: Sequence[object], names: Sequence[str]) -> list[tuple[str, ...]]:
    needs = chain_needs(names)
    for index, entry in enumerate(entries):
        wanted = entry.get("needs") if isinstance(entry, Mapping) else None
        if isinstance(wanted, list):
            needs[index] = tuple(name.strip() for name in wanted if isinstance(name, str) and name.strip())
    return needs

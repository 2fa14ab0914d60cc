"""Plans: a workflow resolved against a dataset, before anything is submitted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations

from pydantic import Field

from treadle.errors import ArgumentsInvalid, WorkflowInvalid
from treadle.model.arguments import argument_problems
from treadle.model.constrained import Scalar, Text, Types, Value
from treadle.model.dataset import Dataset, Item
from treadle.model.filters import (
    AttributeFilters,
    attribute_filters_from_json,
    filter_conflicts,
    next_type_filters,
    nothing_selected,
    select,
    step_type_filters,
    type_filters_from_json,
    widest,
)
from treadle.model.graph import ancestors
from treadle.model.overlay import NOTHING_SAID, Overlay
from treadle.model.problems import listed
from treadle.model.profile import LOCAL
from treadle.model.resources import (
    Origin,
    Resources,
    meta_problems,
    origins_of_meta,
    overlay_meta,
    resources_from_meta,
)
from treadle.model.reuse import Reuse, reuse_of
from treadle.model.task import InstalledTask, Part, Task, TaskRef, TaskType
from treadle.model.workflow import Step, Workflow


class PlannedStep(Value):
    """A step with all that is known before it runs.

    Attributes:
        step: The step.
        task: Its task, installed.
        resources: What the units of each part need.
        origins: Which of it the task said and which the step.
        type_filters: Types that its items must have when its turn comes.
        or_types: Types that will do as well, where several branches lead to it: each hands on its own.
        units: How many units it has; None where earlier steps, or its own init call, decide.
    """

    step: Step
    task: InstalledTask
    resources: dict[Part, Resources]
    origins: dict[Part, dict[str, Origin]] = Field(default_factory=dict)
    type_filters: Types
    or_types: tuple[Types, ...] = ()
    units: int | None

    @property
    def reuse(self) -> Reuse:
        """Whether its units may be reused from earlier runs."""
        return reuse_of(self.step.cache, self.task.task)

    def select(self, items: Sequence[Item], attribute_filters: Mapping[str, Sequence[Scalar]]) -> list[Item]:
        """Return the items that it works on, in their order.

        Raises:
            NothingSelected: There is none.
        """
        alternatives = (self.type_filters, *self.or_types)
        selected = select(items, alternatives, attribute_filters)
        if not selected:
            raise nothing_selected(self.step.name, len(items), alternatives, attribute_filters)
        return selected


class Plan(Value):
    """What a run will do.

    Attributes:
        workflow: The workflow.
        dataset: Name of the dataset.
        zarr_dir: The dataset's folder.
        attribute_filters: The run's attribute filters, which hold for all steps.
        type_filters: The run's type filters, with which the first step begins.
        steps: The steps in order of execution.
        cluster: Name of the cluster it is for.
        overrides: Resources of all units, over what steps, tasks and the cluster's profile say.
    """

    workflow: Workflow
    dataset: str
    zarr_dir: str
    attribute_filters: AttributeFilters
    type_filters: Types
    steps: tuple[PlannedStep, ...]
    cluster: Text = LOCAL
    overrides: Overlay = NOTHING_SAID

    @cached_property
    def ancestors(self) -> list[frozenset[int]]:
        """For each step the places of all steps that it needs, and that those need in turn."""
        steps = [planned.step for planned in self.steps]
        return ancestors([step.name for step in steps], [step.needs for step in steps])


def make_plan(
    workflow: Workflow,
    dataset: Dataset,
    tasks: Mapping[TaskRef, InstalledTask],
    *,
    type_filters: Mapping[str, bool] | None = None,
    attribute_filters: Mapping[str, Sequence[Scalar]] | None = None,
    cluster: str = LOCAL,
    overrides: Overlay = NOTHING_SAID,
) -> Plan:
    """Resolve a workflow against a dataset, and check all that can be checked before anything runs.

    Args:
        workflow: The workflow.
        dataset: The dataset it is to work on.
        tasks: The installed tasks, by the references that steps use.
        type_filters: The run's type filters.
        attribute_filters: The run's attribute filters.
        cluster: Name of the cluster it is for.
        overrides: Resources of all units.

    Raises:
        WorkflowInvalid: Unknown tasks, contradicting filters, bad resources: all of them, with their steps.
        ArgumentsInvalid: Arguments against their schemas: all of them, with their steps.
        NothingSelected: The first step takes items and its filters leave none.
    """
    run_types = type_filters_from_json(dict(type_filters or {}))
    run_attributes = attribute_filters_from_json(
        {key: list(v) for key, v in (attribute_filters or {}).items()}
    )
    steps = workflow.ordered()
    _check_workflow(workflow, steps, tasks)
    _check_arguments(steps, tasks)
    planned: list[PlannedStep] = []
    for step, alternatives in zip(steps, _type_filters(workflow, steps, tasks, run_types), strict=True):
        found = tasks[step.task]
        one = PlannedStep(
            step=step,
            task=found,
            resources=_resources(step, found.task),
            origins=_origins(step, found.task),
            type_filters=alternatives[0],
            or_types=alternatives[1:],
            units=_single_unit(found.task.type),
        )
        if not step.needs and not found.task.type.is_converter:
            selected = one.select(dataset.items, run_attributes)
            if found.task.type is TaskType.PARALLEL:
                one = one.model_copy(update={"units": len(selected)})
        planned.append(one)
    return Plan(
        workflow=workflow,
        dataset=dataset.name,
        zarr_dir=dataset.zarr_dir,
        attribute_filters=run_attributes,
        type_filters=run_types,
        steps=tuple(planned),
        cluster=cluster,
        overrides=overrides,
    )


def _type_filters(
    workflow: Workflow,
    steps: Sequence[Step],
    tasks: Mapping[TaskRef, InstalledTask],
    run_types: Mapping[str, bool],
) -> list[tuple[dict[str, bool], ...]]:
    """Return for each step the type filters of which its items must pass one.

    A step hands on the filters that it inherited, overlaid by the output types of its task. One that needs
    several inherits of each of them.
    """
    problems = _opposed_branches(steps, tasks)
    if problems:
        raise WorkflowInvalid(listed(f"The workflow {workflow.name!r} cannot be planned", problems))
    handed_on: dict[str, list[dict[str, bool]]] = {}
    filters = []
    for step in steps:
        task = tasks[step.task].task
        before = [handed_on[need] for need in step.needs if need in handed_on]
        inherited = [types for alternatives in before for types in alternatives] or [dict(run_types)]
        filters.append(
            widest(step_type_filters(types, task.input_types, step.type_filters) for types in inherited)
        )
        handed_on[step.name] = [next_type_filters(types, task.output_types) for types in inherited]
    return filters


def _opposed_branches(steps: Sequence[Step], tasks: Mapping[TaskRef, InstalledTask]) -> list[str]:
    """Find the steps that get items of opposite types from their branches, and do not say which they want."""
    before = ancestors([step.name for step in steps], [step.needs for step in steps])
    outputs = [tasks[step.task].task.output_types for step in steps]
    problems = []
    for step, places in zip(steps, before, strict=True):
        said = tasks[step.task].task.input_types.keys() | step.type_filters.keys()
        for name, one, other in _opposed(sorted(places), before, outputs):
            if name not in said:
                names = f"{steps[one].name!r} and {steps[other].name!r}"
                problems.append(
                    f'step "{step.name}": it needs {names}, which run side by side and make {name} '
                    f"{json.dumps(outputs[one][name])} and {json.dumps(outputs[other][name])}; "
                    f"say in its type_filters which of them it wants"
                )
    return problems


def _opposed(
    places: Sequence[int], before: Sequence[frozenset[int]], outputs: Sequence[Mapping[str, bool]]
) -> Iterator[tuple[str, int, int]]:
    """Find the types that two steps set to opposite values, if neither of them needs the other.

    One that a step after both of them sets anew is nobody's concern any more.
    """
    setting = [place for place in places if outputs[place]]
    for one, other in combinations(setting, 2):
        if one in before[other]:
            continue
        for name, value in outputs[one].items():
            later = (place for place in setting if {one, other} <= before[place] and name in outputs[place])
            if outputs[other].get(name, value) is not value and next(later, None) is None:
                yield name, one, other


def _single_unit(kind: TaskType) -> int | None:
    return 1 if kind in {TaskType.NON_PARALLEL, TaskType.CONVERTER_NON_PARALLEL} else None


def _resources(step: Step, task: Task) -> dict[Part, Resources]:
    return {
        part: resources_from_meta(task.part(part).meta, step.meta(part)) for part in sorted(task.type.parts)
    }


def _origins(step: Step, task: Task) -> dict[Part, dict[str, Origin]]:
    return {part: origins_of_meta(task.part(part).meta, step.meta(part)) for part in sorted(task.type.parts)}


def _check_workflow(
    workflow: Workflow, steps: Sequence[Step], tasks: Mapping[TaskRef, InstalledTask]
) -> None:
    problems = [] if steps else ["it has no steps"]
    for step in steps:
        found = tasks.get(step.task)
        texts = _task_problems(step, found.task) if found else [_unknown_task(step.task, tasks)]
        problems += [f'step "{step.name}": {text}' for text in texts]
    if problems:
        raise WorkflowInvalid(listed(f"The workflow {workflow.name!r} cannot be planned", problems))


def _task_problems(step: Step, task: Task) -> Iterator[str]:
    yield from filter_conflicts(task.input_types, step.type_filters)
    for part in Part:
        if part in task.type.parts:
            meta = overlay_meta(task.part(part).meta, step.meta(part))
            yield from meta_problems(meta, f"meta_{part}")
        elif step.meta(part):
            yield f"meta_{part}: the task {task.name!r} has no {part} part"


def _unknown_task(wanted: TaskRef, tasks: Mapping[TaskRef, InstalledTask]) -> str:
    same_package = [ref for ref in tasks if ref.pkg_name == wanted.pkg_name]
    known = sorted(map(str, same_package or tasks)) or ["none"]
    return f"there is no task {wanted}; known are: {', '.join(known)}"


def _check_arguments(steps: Sequence[Step], tasks: Mapping[TaskRef, InstalledTask]) -> None:
    problems = [text for step in steps for text in argument_problems(step, tasks[step.task].task)]
    if problems:
        raise ArgumentsInvalid(listed("Arguments do not fit their tasks", problems))

"""Plans: a workflow resolved against a dataset, before anything is submitted."""

from __future__ import annotations

from treadle.model.constrained import Types, Value
from treadle.model.filters import AttributeFilters
from treadle.model.resources import Resources
from treadle.model.task import InstalledTask, Part
from treadle.model.workflow import Step, Workflow


class PlannedStep(Value):
    """A step with all that is known before it runs.

    Attributes:
        step: The step.
        task: Its task, installed.
        resources: What the units of each part need.
        type_filters: Types that its items must have when its turn comes.
        units: How many units it has; None where earlier steps, or its own init call, decide.
    """

    step: Step
    task: InstalledTask
    resources: dict[Part, Resources]
    type_filters: Types
    units: int | None


class Plan(Value):
    """What a run will do.

    Attributes:
        workflow: The workflow.
        dataset: Name of the dataset.
        zarr_dir: The dataset's folder.
        attribute_filters: The run's attribute filters, which hold for all steps.
        type_filters: The run's type filters, with which the first step begins.
        steps: The steps in order of execution.
    """

    workflow: Workflow
    dataset: str
    zarr_dir: str
    attribute_filters: AttributeFilters
    type_filters: Types
    steps: tuple[PlannedStep, ...]

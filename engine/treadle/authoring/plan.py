"""Plans as authors look at them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from treadle.model.placement import place_part
from treadle.model.plan import Plan as PlanValue
from treadle.model.plan import PlannedStep
from treadle.model.profile import ClusterProfile

_COLUMNS = ("step", "task", "needs", "units", "resources of a unit")


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """What a run would do; printed, it is a table of steps.

    Attributes:
        value: The plan itself.
        profile: The cluster it is for.
    """

    value: PlanValue
    profile: ClusterProfile

    @property
    def steps(self) -> tuple[PlannedStep, ...]:
        """The steps in order of execution."""
        return self.value.steps

    def __repr__(self) -> str:
        head = (
            f"{self.value.workflow.name!r} on {self.value.dataset!r} in {self.value.zarr_dir}, "
            f"cluster {self.value.cluster!r}"
        )
        rows = [_COLUMNS, *self._rows()]
        widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
        lines = (zip(row, widths, strict=True) for row in rows)
        return "\n".join(
            [head, *("  ".join(text.ljust(width) for text, width in line).rstrip() for line in lines)]
        )

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for planned in self.steps:
            task = planned.task.task
            yield (
                planned.step.name,
                f"{task.name} ({task.package} {task.version})",
                ", ".join(planned.step.needs) or "-",
                "later" if planned.units is None else str(planned.units),
                "; ".join(self._resources(planned)),
            )

    def _resources(self, planned: PlannedStep) -> Iterator[str]:
        for part in sorted(planned.resources):
            placed = place_part(self.value, planned, part, self.profile).resources
            said = {"cpus": placed.cpus, **placed.model_dump(exclude_defaults=True, mode="json")}
            text = ", ".join(f"{name}={value}" for name, value in said.items())
            yield text if len(planned.resources) == 1 else f"{part}: {text}"

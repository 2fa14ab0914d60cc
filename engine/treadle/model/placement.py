"""What units get on a cluster: what they need, laid between what its profile and the run say.

Of several that name a value the later one wins: the profile's `defaults`; its `gpu`, where a GPU is needed;
the task's meta; the step's; the profile's `force`; the run itself. Of `directives` and `extra_lines` those of
`gpu` take the place of the defaults', as Fractal has it (1.9), and all others are added.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from treadle.errors import UsageError, WorkflowInvalid
from treadle.model.job_shape import shape_problems
from treadle.model.overlay import Overlay
from treadle.model.plan import Plan, PlannedStep
from treadle.model.problems import listed
from treadle.model.profile import LOCAL, ClusterProfile
from treadle.model.resources import Origin, Resources
from treadle.model.task import Part

LISTS = ("directives", "extra_lines")
OF_THIS_MACHINE = frozenset({"cpus", "memory_mb", "time"})

_Layer = tuple[Origin, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Placed:
    """What one unit gets on a cluster.

    Attributes:
        resources: All of it.
        origins: Who said each value that somebody said, by its name in `Resources`; of a list all who did.
    """

    resources: Resources
    origins: Mapping[str, tuple[Origin, ...]]


def place(needed: Resources, said: Mapping[str, Origin], profile: ClusterProfile, run: Overlay) -> Placed:
    """Lay what a unit needs between what a cluster's profile and the run say.

    Args:
        needed: Read from the meta of task and step.
        said: Which of its values task or step named.
        profile: The cluster.
        run: What the run itself says; a GPU named here wants the profile's `gpu` too.
    """
    own = run.given()
    needs_gpu = needed.needs_gpu or bool(own.get("gpus"))
    layers = list(_layers(needed, said, profile, own, needs_gpu=needs_gpu))
    values: dict[str, object] = {"needs_gpu": needs_gpu}
    origins: dict[str, tuple[Origin, ...]] = {}
    for origin, layer in layers:
        for name in layer.keys() - set(LISTS):
            values[name], origins[name] = layer[name], (origin,)
    for name in LISTS:
        joined = _joined(name, layers)
        values[name] = tuple(line for _, lines in joined for line in lines)
        if joined:
            origins[name] = tuple(origin for origin, _ in joined)
    return Placed(needed.model_copy(update=values), origins)


def place_plan(plan: Plan, profile: ClusterProfile) -> Plan:
    """Return a plan with what its units get on a cluster in place of what they need.

    Raises:
        UsageError: The run asks for what this machine has not.
        WorkflowInvalid: No job of the cluster can run the units of a step; every reason is named.
    """
    check_run(plan.overrides, profile)
    problems: list[str] = []
    steps: list[PlannedStep] = []
    for planned in plan.steps:
        placed = {part: place_part(plan, planned, part, profile).resources for part in planned.resources}
        if profile.kind != LOCAL:
            problems += [
                f'step "{planned.step.name}", {part}: {text}'
                for part, resources in placed.items()
                for text in shape_problems(resources, profile)
            ]
        steps.append(planned.model_copy(update={"resources": placed}))
    if problems:
        raise WorkflowInvalid(
            listed(f"The cluster {plan.cluster!r} cannot run {plan.workflow.name!r}", problems)
        )
    return plan.model_copy(update={"steps": tuple(steps)})


def place_part(plan: Plan, planned: PlannedStep, part: Part, profile: ClusterProfile) -> Placed:
    """Return what the units of one part of a step get on a cluster.

    The one unit of an init or single call gets a job of one unit.
    """
    placed = place(planned.resources[part], planned.origins.get(part, {}), profile, plan.overrides)
    together = {"tasks_per_job", "parallel_tasks_per_job"}
    if profile.kind == LOCAL or part is not Part.NON_PARALLEL or together & placed.origins.keys():
        return placed
    return Placed(placed.resources.model_copy(update=dict.fromkeys(together, 1)), placed.origins)


def check_run(run: Overlay, profile: ClusterProfile) -> None:
    """Check that a cluster knows what a run asks for.

    Raises:
        UsageError: It is this machine, and the run asks for more than CPUs, memory and time.
    """
    others = sorted(run.given().keys() - OF_THIS_MACHINE)
    if profile.kind == LOCAL and others:
        raise UsageError(
            f"This machine knows no {others[0]} of a run.",
            remedy="Leave it out, or name a cluster that does with --cluster.",
        )


def _layers(
    needed: Resources,
    said: Mapping[str, Origin],
    profile: ClusterProfile,
    own: Mapping[str, object],
    *,
    needs_gpu: bool,
) -> Iterator[_Layer]:
    yield Origin.PROFILE_DEFAULTS, profile.defaults.given()
    if needs_gpu:
        yield Origin.PROFILE_GPU, profile.gpu.given()
    stored = dict.fromkeys(needed.model_dump(exclude_defaults=True), Origin.TASK) | dict(said)
    for origin in (Origin.TASK, Origin.STEP):
        yield origin, {name: getattr(needed, name) for name, who in stored.items() if who is origin}
    yield Origin.PROFILE_FORCE, profile.force.given()
    yield Origin.RUN, own


def _joined(name: str, layers: list[_Layer]) -> list[tuple[Origin, tuple[str, ...]]]:
    replaced = any(origin is Origin.PROFILE_GPU and name in layer for origin, layer in layers)
    found = []
    for origin, layer in layers:
        lines = layer.get(name)
        if isinstance(lines, tuple) and lines and not (replaced and origin is Origin.PROFILE_DEFAULTS):
            found.append((origin, lines))
    return found

"""Workflows as objects: steps are added, then the whole is planned, run, stored or deployed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import JsonValue, ValidationError

from treadle.authoring import held
from treadle.authoring.call import Call
from treadle.authoring.datasets import Dataset
from treadle.authoring.here import Request
from treadle.authoring.plan import Plan
from treadle.authoring.resources import Resources, meta, overlay
from treadle.authoring.result import Result, result_of
from treadle.authoring.tasks import TaskHandle, call_of
from treadle.errors import WorkflowInvalid
from treadle.model.filters import AttributeFilters
from treadle.model.graph import graph_problems
from treadle.model.policy import Retries
from treadle.model.problems import listed, problems_of
from treadle.model.profile import LOCAL
from treadle.model.reuse import CacheChoice
from treadle.model.task import Part
from treadle.model.workflow import Step, workflow_from_json, workflow_to_json
from treadle.model.workflow import Workflow as WorkflowValue

if TYPE_CHECKING:
    from prefect import Flow

    from treadle.authoring.deploying import Rules
    from treadle.runs.deployments.deployed import Deployed
    from treadle.runs.deployments.schedules import Schedule


class StepHandle:
    """A step of a workflow, for other steps to need.

    Attributes:
        name: Its name.
    """

    def __init__(self, workflow: Workflow, name: str) -> None:
        self._workflow = workflow
        self.name = name

    def __repr__(self) -> str:
        return f"<step {self.name!r} of workflow {self._workflow.name!r}>"


class Workflow:
    """Named steps, each a task with its arguments; a chain unless `needs` says otherwise.

    ::

        blur, count = load_task("images", "Blur"), load_task("images", "Count cells")
        wf = Workflow("plate")
        wf.add(blur(sigma=2), resources={"memory": "4G"})
        wf.add(count(threshold=0.5))
        wf.run("plate-1").raise_for_state()

    Args:
        name: Its name.
        description: What it does.
    """

    def __init__(self, name: str, *, description: str | None = None) -> None:
        self.name = name
        self.description = description
        self._steps: list[Step] = []

    @classmethod
    def load(cls, name: str) -> Workflow:
        """Return a stored workflow, to be changed, run or deployed.

        Raises:
            UnknownName: There is no such workflow; names those that there are.
        """
        from treadle.ledger import workflows

        with held.session().ledger.reading() as tx:
            _, stored = workflows.load_workflow(tx, name)
        return cls._of(stored)

    @classmethod
    def from_json(cls, document: object) -> Workflow:
        """Return the workflow that a JSON document describes, as `treadle workflow export` writes it.

        Raises:
            WorkflowInvalid: Names every problem with its place.
        """
        return cls._of(workflow_from_json(document))

    @classmethod
    def _of(cls, value: WorkflowValue) -> Workflow:
        workflow = cls(value.name, description=value.description)
        workflow._steps = list(value.steps)
        return workflow

    @property
    def steps(self) -> tuple[StepHandle, ...]:
        """Its steps in the order in which they were added."""
        return tuple(StepHandle(self, step.name) for step in self._steps)

    @property
    def definition(self) -> WorkflowValue:
        """The workflow as a value, checked.

        Raises:
            WorkflowInvalid: A step needs one that there is not, or steps need one another in a circle.
        """
        names = [step.name for step in self._steps]
        found = graph_problems(names, [step.needs for step in self._steps])
        problems = [f"step {names[position]!r} {text}" for position, text in found]
        if not problems:
            try:
                return WorkflowValue(name=self.name, description=self.description, steps=tuple(self._steps))
            except ValidationError as error:
                problems = problems_of(error)
        raise WorkflowInvalid(listed(f"The workflow {self.name!r} is not valid", problems))

    def add(
        self,
        what: Call | TaskHandle | Callable[..., object],
        *,
        name: str | None = None,
        arguments: Mapping[str, object] | None = None,
        needs: StepHandle | str | Sequence[StepHandle | str] | None = None,
        types: Mapping[str, bool] | None = None,
        resources: Resources | None = None,
        retries: int | Retries = 0,
        on_failure: Literal["stop", "continue"] = "stop",
        failure_threshold: float = 1,
        cache: CacheChoice | None = None,
        description: str | None = None,
    ) -> StepHandle:
        """Add a step.

        Args:
            what: A task with arguments, `task(sigma=2)`; a task; or a function that is one.
            name: Name of the step; the task's if None.
            arguments: Arguments of a task or function that has none yet.
            needs: The steps that must be done before; the step added before if None, none if empty.
            types: Types that its items must have, besides those that the task wants.
            resources: What a unit needs where it differs from what the task says.
            retries: How often a unit that fails is tried again; `Retries` says also how long to wait.
            on_failure: What follows when units stay failed: `stop` ends the run, `continue` goes on without.
            failure_threshold: Largest share of the units that may have failed where the run continues.
            cache: Whether units are reused that were done before; "refresh" runs them again and keeps what
                they then leave. None leaves it to the task: pure ones are reused.
            description: What the step is for.

        Raises:
            ArgumentsInvalid: The arguments do not fit the task's schema.
            WorkflowInvalid: The name is taken, or a needed step is of another workflow.
            UsageError: A resource cannot be so.
            SourceInvalid: No worker could import the function.
        """
        call = call_of(what, arguments or {})
        step = call.step(name or call.task.name)
        if any(other.name == step.name for other in self._steps):
            raise WorkflowInvalid(
                f"The workflow {self.name!r} has a step {step.name!r} already.",
                remedy="Give the step a name of its own: add(..., name=...).",
            )
        needed = meta(resources, f"step {step.name!r}")
        parts = call.task.type.parts
        try:
            full = Step.model_validate(
                {
                    **step.model_dump(),
                    "needs": self._needs(step.name, needs),
                    "type_filters": dict(types or {}),
                    "meta_non_parallel": needed if Part.NON_PARALLEL in parts else None,
                    "meta_parallel": needed if Part.PARALLEL in parts else None,
                    "retries": Retries(attempts=retries + 1) if isinstance(retries, int) else retries,
                    "on_failure": on_failure,
                    "failure_threshold": failure_threshold,
                    "cache": cache,
                    "description": description,
                }
            )
        except ValidationError as error:
            raise WorkflowInvalid(
                listed(f"The step {step.name!r} is not valid", problems_of(error))
            ) from error
        self._steps.append(full)
        return StepHandle(self, full.name)

    def _needs(
        self, step: str, needs: StepHandle | str | Sequence[StepHandle | str] | None
    ) -> tuple[str, ...]:
        if needs is None:
            return (self._steps[-1].name,) if self._steps else ()
        wanted = [needs] if isinstance(needs, StepHandle | str) else needs
        for need in wanted:
            if isinstance(need, StepHandle) and need._workflow is not self:
                raise WorkflowInvalid(f"The step {step!r} of workflow {self.name!r} cannot need {need!r}.")
        return tuple(need.name if isinstance(need, StepHandle) else need for need in wanted)

    def plan(
        self,
        dataset: str | Dataset,
        *,
        cluster: str = LOCAL,
        first: str | None = None,
        last: str | None = None,
        types: Mapping[str, bool] | None = None,
        attributes: AttributeFilters | None = None,
        resources: Resources | None = None,
    ) -> Plan:
        """Resolve the workflow against a dataset; nothing is written.

        Args:
            dataset: The dataset, or its name.
            cluster: Name of the cluster it is for.
            first: Name of the step to begin with, on the dataset as it is.
            last: Name of the step to end with.
            types: Types that items must have for the first step.
            attributes: Values that items' attributes must have, by name, for all steps.
            resources: What all units get, over what tasks and steps say.

        Raises:
            UnknownName: No such dataset, step or cluster.
            WorkflowInvalid: Its graph is none, a task is not collected, or the cluster cannot run a step.
            ArgumentsInvalid: A step's arguments break the task's schema.
            NothingSelected: The first step would have no item.
        """
        session = held.session()
        request = self._request(
            dataset, types, attributes, resources, first=first, last=last, cluster=cluster
        )
        return Plan(request.plan(session), session.settings.cluster(cluster))

    def run(
        self,
        dataset: str | Dataset,
        *,
        cluster: str = LOCAL,
        first: str | None = None,
        last: str | None = None,
        types: Mapping[str, bool] | None = None,
        attributes: AttributeFilters | None = None,
        resources: Resources | None = None,
    ) -> Result:
        """Run the workflow on a dataset to its end, in this process, with the home's server.

        Arguments and errors are those of `plan`, and those of starting server and cluster. A run that fails
        is no error: `run(...).raise_for_state()` makes it one.
        """
        from treadle.compile.observer import Observer

        session = held.session()
        request = self._request(
            dataset, types, attributes, resources, first=first, last=last, cluster=cluster
        )
        request.plan(session)  # before anything is started
        held.server(session.settings)
        from treadle.runs.drive import drive  # not before the server is known

        with held.cluster(cluster, session.settings) as opened:
            run_id = request.submit(session)
            drive(
                run_id,
                ledger=session.ledger,
                settings=session.settings,
                cluster=opened,
                observer=Observer(),
            )
        return result_of(session, run_id)

    def _request(
        self,
        dataset: str | Dataset,
        types: Mapping[str, bool] | None,
        attributes: AttributeFilters | None,
        resources: Resources | None,
        *,
        first: str | None,
        last: str | None,
        cluster: str,
    ) -> Request:
        return Request(
            self.definition,
            _name_of(dataset),
            dict(types or {}),
            dict(attributes or {}),
            first=first,
            last=last,
            cluster=cluster,
            overrides=overlay(resources, "the run"),
        )

    def save(self, *, replace: bool = True) -> None:
        """Store the workflow under its name, for `treadle run`, `treadle deploy` and others.

        Args:
            replace: Replace a workflow of the same name; earlier runs keep their plans.

        Raises:
            WorkflowInvalid: Its graph is none.
            AlreadyExists: The name is taken and `replace` is false.
        """
        from treadle.ledger import workflows

        definition = self.definition
        with held.session().ledger.writing() as tx:
            workflows.save_workflow(tx, definition, replace=replace)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the workflow as a JSON document that `treadle workflow import` takes.

        Raises:
            WorkflowInvalid: Its graph is none.
        """
        return workflow_to_json(self.definition)

    def to_flow(self) -> Flow[..., Any]:
        """Return the workflow as a Prefect flow of the parameters `dataset` and `cluster`.

        It can be called in a script, in another flow, where it is a subflow, and be deployed: assign it to a
        variable of the module that an entrypoint names. It returns the run's `Result`; a run that fails is a
        failed flow run.

        Raises:
            WorkflowInvalid: Its graph is none.
        """
        from treadle.authoring.flows import flow_of

        return flow_of(self.definition)

    def deploy(
        self,
        *,
        name: str | None = None,
        dataset: str | Dataset | None = None,
        arguments: Mapping[str, JsonValue] | None = None,
        cluster: str | None = None,
        cron: Rules = (),
        every: Rules = (),
        rrule: Rules = (),
        timezone: str = "UTC",
        schedules: Iterable[Schedule] | None = None,
        limit: int | None = None,
        tags: Sequence[str] | None = None,
        paused: bool | None = None,
    ) -> Deployed:
        """Store the workflow and make it a deployment: a form made of its tasks' schemas, and schedules.

        A deployment of that name is brought up to date; what is not said of it stays as it is.

        Args:
            name: Name of the deployment; the workflow's if None.
            dataset: What its form and its schedules begin with.
            arguments: Arguments of steps in place of the workflow's, by steps as in the form.
            cluster: Where its units run.
            cron: Five fields of cron, or several such rules.
            every: A duration such as `"6h"`, or several.
            rrule: A recurrence rule of iCalendar, or several.
            timezone: Name of the time zone in which these rules are read.
            schedules: Schedules with parameters of their own; an empty list takes all schedules away.
            limit: How many of its runs there are at once; 0 for any number.
            tags: Tags that its runs get.
            paused: Whether its schedules are off.

        Raises:
            WorkflowInvalid: Its graph is none, or a task is not collected.
            UnknownName: There is no such dataset, step or cluster.
            ArgumentsInvalid: What is wanted does not fit the workflow's form.
            UsageError: A schedule cannot be read.
            ServerError: The server did not start or refused the deployment.
        """
        from treadle.authoring.deploying import deploy

        self.save()
        return deploy(
            self.name,
            name=name,
            dataset=None if dataset is None else _name_of(dataset),
            arguments=arguments,
            cluster=cluster,
            cron=cron,
            every=every,
            rrule=rrule,
            timezone=timezone,
            schedules=schedules,
            limit=limit,
            tags=tags,
            paused=paused,
        )

    def __repr__(self) -> str:
        steps = ", ".join(step.name for step in self._steps) or "no steps"
        return f"<workflow {self.name!r}: {steps}>"


def _name_of(dataset: str | Dataset) -> str:
    return dataset if isinstance(dataset, str) else dataset.name

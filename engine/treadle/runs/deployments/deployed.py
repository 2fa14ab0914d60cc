"""Deployments of workflows as Prefect's server has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import JsonValue

from treadle.errors import AlreadyExists, ServerError, UnknownName
from treadle.runs.deployments.schedules import Schedule

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

WORKFLOW_TAG = "treadle:workflow"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment of a workflow.

    Attributes:
        id: Prefect's number of it.
        name: Name of the deployment.
        flow: Name of its Prefect flow.
        workflow: Name of the workflow that it runs.
        parameters: Parameters of its runs that differ from the form's defaults.
        schedules: When it starts runs by itself.
        limit: How many of its runs there are at once; None for any number.
        cancels_new: Whether a run above the limit is cancelled instead of waiting.
        tags: Tags that its runs get, but for that of all such deployments.
        paused: Whether its schedules are off.
        problem: Why runs of it would fail; empty if nothing is known.
    """

    id: UUID
    name: str
    flow: str
    workflow: str
    parameters: Mapping[str, JsonValue]
    schedules: Sequence[Schedule]
    limit: int | None
    cancels_new: bool
    tags: Sequence[str]
    paused: bool
    problem: str = field(default="", compare=False)

    @property
    def path(self) -> str:
        """Flow and name, by which Prefect's own commands know it."""
        return f"{self.flow}/{self.name}"


def find_deployment(name: str) -> Deployed:
    """Return the deployment of that name, or the only one of the workflow of that name.

    Args:
        name: `flow/name`, the deployment's own name, or its workflow's.

    Raises:
        UnknownName: There is none, or more than one.
        ServerError: Prefect's server did not answer.
    """
    with prefect_client() as client:
        known = [described(deployment, flow) for deployment, flow in read_all(client)]
    for attribute in ("path", "name", "workflow"):
        chosen = [deployment for deployment in known if getattr(deployment, attribute) == name]
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            paths = ", ".join(repr(deployment.path) for deployment in chosen)
            raise UnknownName(f"More than one deployment is meant by {name!r}.", remedy=f"Name one: {paths}.")
    paths = ", ".join(repr(deployment.path) for deployment in known) or "none"
    raise UnknownName(f"There is no deployment {name!r}.", remedy=f"There are: {paths}.")


def deployments_of(client: SyncPrefectClient, flow: str, workflow: str) -> list[DeploymentResponse]:
    """Return the deployments of one workflow, that of its own name before others."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterTags,
        FlowFilter,
        FlowFilterName,
    )

    found = client.read_deployments(
        flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
        deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[WORKFLOW_TAG])),
    )
    own = [deployment for deployment in found if workflow_of(deployment) == workflow]
    return sorted(own, key=lambda deployment: (deployment.name != flow, deployment.name))


def read_all(client: SyncPrefectClient) -> list[tuple[DeploymentResponse, str]]:
    """Return the deployments of workflows by name, each with the name of its flow."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterTags,
        FlowFilter,
        FlowFilterId,
    )
    from prefect.client.schemas.sorting import DeploymentSort

    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[WORKFLOW_TAG]))
    found: list[DeploymentResponse] = []
    while len(found) % _PAGE == 0:
        page = client.read_deployments(
            deployment_filter=tagged, sort=DeploymentSort.NAME_ASC, limit=_PAGE, offset=len(found)
        )
        if not page:
            break
        found += page
    flows: dict[UUID, str] = {}
    ids = sorted({deployment.flow_id for deployment in found})
    for start in range(0, len(ids), _PAGE):
        some = FlowFilter(id=FlowFilterId(any_=ids[start : start + _PAGE]))
        flows.update({flow.id: flow.name for flow in client.read_flows(flow_filter=some)})
    named = [(deployment, flows[deployment.flow_id]) for deployment in found if deployment.flow_id in flows]
    return sorted(named, key=lambda pair: (pair[1], pair[0].name))


def read_one(client: SyncPrefectClient, flow: str, name: str, workflow: str) -> Deployed | None:
    """Return a workflow's deployment.

    Raises:
        AlreadyExists: It is another's.
    """
    from prefect.exceptions import ObjectNotFound

    try:
        found = client.read_deployment_by_name(f"{flow}/{name}")
    except ObjectNotFound:
        return None
    if WORKFLOW_TAG not in found.tags or workflow_of(found) != workflow:
        owner = f"of workflow {workflow_of(found)!r}" if WORKFLOW_TAG in found.tags else "of something else"
        raise AlreadyExists(
            f"Prefect has a deployment {flow}/{name} {owner}.", remedy="Choose another name with --name."
        )
    return described(found, flow)


def described(deployment: DeploymentResponse, flow: str, problem: str = "") -> Deployed:
    """Return what Prefect says of a deployment, in our words."""
    options, limit = deployment.concurrency_options, deployment.global_concurrency_limit
    return Deployed(
        id=deployment.id,
        name=deployment.name,
        flow=flow,
        workflow=workflow_of(deployment),
        parameters=deployment.parameters,
        schedules=sorted(map(Schedule.from_prefect, deployment.schedules), key=lambda found: found.slug),
        limit=None if limit is None else limit.limit,
        cancels_new=options is not None and options.collision_strategy == "CANCEL_NEW",
        tags=[tag for tag in deployment.tags if tag != WORKFLOW_TAG],
        paused=deployment.paused,
        problem=problem,
    )


def workflow_of(deployment: DeploymentResponse) -> str:
    """Return the name of the workflow that a deployment runs; empty for one that is not ours."""
    return str(deployment.parameters.get("workflow", ""))


@contextmanager
def prefect_client() -> Iterator[SyncPrefectClient]:
    """Prefect's client; what its server says becomes an error of ours."""
    from httpx import HTTPError
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            yield client
    except (PrefectException, HTTPError) as error:
        raise ServerError(
            f"Prefect's server did not do what was asked: {error}.",
            remedy="See server/server.log in Treadle's home folder.",
        ) from error

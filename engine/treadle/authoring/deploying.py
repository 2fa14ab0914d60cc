"""Workflows as deployments of Prefect: forms, schedules, limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pydantic import JsonValue

from treadle.authoring import held

if TYPE_CHECKING:
    from treadle.runs.deployments.deployed import Deployed
    from treadle.runs.deployments.schedules import Schedule

Rules = str | Sequence[str]
"""One rule, or several."""


def deploy(
    workflow: str,
    *,
    name: str | None = None,
    dataset: str | None = None,
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
    """Register a deployment of a stored workflow with the home's server; see `Workflow.deploy`."""
    session = held.session()
    held.server(session.settings)
    from treadle.runs.deployments.deploying import Wanted
    from treadle.runs.deployments.deploying import deploy as register  # not before the server is known
    from treadle.runs.deployments.schedules import Schedule

    ruled = [
        *(Schedule(cron=rule, timezone=timezone) for rule in _several(cron)),
        *(Schedule(every=rule, timezone=timezone) for rule in _several(every)),
        *(Schedule(rrule=rule, timezone=timezone) for rule in _several(rrule)),
    ]
    wanted = Wanted(
        dataset=dataset,
        arguments=arguments,
        cluster=cluster,
        schedules=[*(schedules or ()), *ruled] if ruled or schedules is not None else None,
        limit=limit,
        tags=tags,
        paused=paused,
    )
    return register(workflow, wanted, name=name, ledger=session.ledger, settings=session.settings)


def _several(rules: Rules) -> Sequence[str]:
    return [rules] if isinstance(rules, str) else rules

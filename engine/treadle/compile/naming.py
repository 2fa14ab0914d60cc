"""Names and tags by which runs are found in Prefect."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

    from treadle.model.plan import Plan

REFUSED_BY_PREFECT = re.compile(r"[/%&><]")

logger = logging.getLogger(__name__)


def prefect_name(name: str) -> str:
    """Return a name of ours as Prefect takes it."""
    return REFUSED_BY_PREFECT.sub("-", name)


def flow_run_name(workflow: str, run_id: int) -> str:
    """Return the name of a run's flow run: `<workflow> <id>`."""
    return f"{prefect_name(workflow)} {run_id}"


def flow_run_tags(plan: Plan, run_id: int) -> list[str]:
    """Return the tags of a run's flow run: what it runs, on what, where, and its number."""
    return [
        f"workflow:{plan.workflow.name}",
        f"dataset:{plan.dataset}",
        f"cluster:{plan.cluster}",
        f"run:{run_id}",
    ]


def name_flow_run(client: SyncPrefectClient, flow_run_id: UUID, name: str, tags: Sequence[str]) -> None:
    """Give a flow run its name and add tags to those that it has; what Prefect does not take is logged."""
    from httpx import HTTPError
    from prefect.exceptions import PrefectException

    try:
        present = client.read_flow_run(flow_run_id)
        wanted = [*present.tags, *(tag for tag in tags if tag not in present.tags)]
        if (present.name, present.tags) != (name, wanted):
            client.update_flow_run(flow_run_id, name=name, tags=wanted)
    except (PrefectException, HTTPError) as error:
        logger.warning("flow_run_not_named prefect_run=%s error=%r", flow_run_id, error)

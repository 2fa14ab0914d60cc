"""What Prefect does by itself when a run ends, or falls silent: automations and blocks, made on request.

Each has a name made of what it does, so that asking for it again changes it in its place. Secrets go into
blocks, which Prefect stores encrypted. Call this with Prefect's address and secret in the environment.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from treadle.compile.naming import prefect_name
from treadle.errors import UnknownName
from treadle.runs.deployments.deployed import WORKFLOW_TAG, find_deployment, prefect_client

if TYPE_CHECKING:
    from prefect.blocks.core import Block
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.events import Automation, EventTrigger
    from prefect.events.actions import ActionTypes

    from treadle.runs.mail_block import Mail

TAG = "treadle:notify"
_PAGE = 200
_HEARTBEAT = "prefect.flow-run.heartbeat"
_ENDS = ("Completed", "Failed", "Cancelled", "Crashed", "Cancelling")

_TEXT = """{{ flow_run.name }}: {{ flow_run.state.name }}
{{ flow_run.state.message }}
{{ flow_run | ui_url }}
"""
_PAYLOAD = """{
  "text": {{ (flow_run.name ~ ": " ~ flow_run.state.name ~ ". " ~ flow_run.state.message) | tojson }},
  "run": {{ flow_run.name | tojson }},
  "workflow": {{ flow.name | tojson }},
  "state": {{ flow_run.state.type.value | lower | tojson }},
  "message": {{ flow_run.state.message | tojson }},
  "tags": {{ flow_run.tags | list | tojson }},
  "url": {{ flow_run | ui_url | tojson }}
}
"""


class Moment(StrEnum):
    """How a run ends."""

    FAILED = "failed"
    DONE = "done"
    CANCELLED = "cancelled"


_STATES = {
    Moment.FAILED: ("Failed", "Crashed"),
    Moment.DONE: ("Completed",),
    Moment.CANCELLED: ("Cancelled",),
}


@dataclass(frozen=True, slots=True)
class Notification:
    """One automation that was made on request.

    Attributes:
        id: Prefect's number of it.
        name: Its name, by which it is removed.
        description: What it does.
        enabled: Whether it is on.
    """

    id: UUID
    name: str
    description: str
    enabled: bool


def call_webhook(
    url: str, moments: Collection[Moment], workflow: str | None = None, *, label: str = ""
) -> Notification:
    """Send a JSON document to a URL when a run ends so.

    Args:
        url: Where to; Prefect keeps it encrypted, and no text shows it.
        moments: How the run ends.
        workflow: The workflow whose runs are meant; None for all of Treadle's.
        label: Tells it from others for the same runs.
    """
    from prefect.blocks.webhook import Webhook
    from prefect.events.actions import CallWebhook
    from pydantic import SecretStr

    name = _name("webhook", moments, workflow, label)
    block = Webhook(
        method="POST",
        url=SecretStr(url),
        headers={"Content-Type": "application/json"},
    )
    with prefect_client() as client:
        action = CallWebhook(block_document_id=_save(block, name), payload=_PAYLOAD)
        what = f"Calls a webhook when {_whose(workflow)} {_ends(moments)}."
        return _put(client, name, what, _at_end(moments, workflow), action)


def send_mail(
    mail: Mail, moments: Collection[Moment], workflow: str | None = None, *, label: str = ""
) -> Notification:
    """Send a mail when a run ends so; `mail` says how, and the rest is as for `call_webhook`."""
    from prefect.events.actions import SendNotification

    name = _name("mail", moments, workflow, label)
    with prefect_client() as client:
        action = SendNotification(
            block_document_id=_save(mail, name),
            subject="{{ flow_run.name }}: {{ flow_run.state.name }}",
            body=_TEXT,
        )
        what = f"Mails {', '.join(mail.recipients)} when {_whose(workflow)} {_ends(moments)}."
        return _put(client, name, what, _at_end(moments, workflow), action)


def start_after(workflow: str, deployment: str, *, same_dataset: bool) -> Notification:
    """Start a run of a deployment when a run of a workflow is done.

    Args:
        workflow: The workflow whose runs are waited for.
        deployment: The deployment that is started; see `find_deployment`.
        same_dataset: Whether it works on the dataset of the run before, not on its own.

    Raises:
        UnknownName: There is no such deployment.
    """
    from prefect.events.actions import RunDeployment

    found = find_deployment(deployment)
    template = {"__prefect_kind": "jinja", "template": "{{ flow_run.parameters['dataset'] }}"}
    name = f"start {found.path} after {workflow}"
    with prefect_client() as client:
        action = RunDeployment(
            source="selected",
            deployment_id=found.id,
            parameters={"dataset": template} if same_dataset else None,
        )
        where = ", on the same dataset" if same_dataset else ""
        what = f"Starts {found.path} when {_whose(workflow)} {_ends([Moment.DONE])}{where}."
        return _put(client, name, what, _at_end([Moment.DONE], workflow), action)


def detect_zombies(silence: timedelta) -> Notification:
    """Call a flow run crashed that has sent a heartbeat and then nothing for so long.

    Treadle's own watch finds a dead driver by its lease, in seconds; this one serves where no `treadle up`
    runs.

    Args:
        silence: At least ten seconds; heartbeats come every three minutes.
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events import EventTrigger, Posture
    from prefect.events.actions import ChangeFlowRunState

    trigger = EventTrigger(
        after={_HEARTBEAT},
        expect={_HEARTBEAT, *(f"prefect.flow-run.{state}" for state in _ENDS)},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=silence,
    )
    action = ChangeFlowRunState(
        state=StateType.CRASHED, message=f"Nothing was heard of its process for {silence}."
    )
    with prefect_client() as client:
        what = f"Calls a flow run crashed that has been silent for {silence}."
        return _put(client, "zombies", what, trigger, action)


def list_notifications() -> list[Notification]:
    """Return what was made on request, by name."""
    with prefect_client() as client:
        return sorted(map(_described, _read(client)), key=lambda found: found.name)


def remove_notification(name: str) -> Notification:
    """Remove an automation that was made on request, with the block that it uses.

    Raises:
        UnknownName: There is none of that name.
    """
    from prefect.events.actions import CallWebhook, SendNotification
    from prefect.exceptions import ObjectNotFound

    with prefect_client() as client:
        known = _read(client)
        found = next((automation for automation in known if automation.name == name), None)
        if found is None:
            names = ", ".join(repr(automation.name) for automation in known) or "none"
            raise UnknownName(f"There is no notification {name!r}.", remedy=f"There are: {names}.")
        client.delete_automation(found.id)
        for action in found.actions:
            if isinstance(action, CallWebhook | SendNotification):
                try:
                    client.delete_block_document(action.block_document_id)
                except ObjectNotFound:  # somebody has removed it in the UI
                    continue
    return _described(found)


def _name(kind: str, moments: Collection[Moment], workflow: str | None, label: str) -> str:
    when = " or ".join(moment for moment in Moment if moment in moments)
    return " ".join(filter(None, (kind, label, "on", when, "" if workflow is None else f"of {workflow}")))


def _whose(workflow: str | None) -> str:
    return "a run" if workflow is None else f"a run of {workflow!r}"


def _ends(moments: Collection[Moment]) -> str:
    words = {Moment.FAILED: "fails", Moment.DONE: "is done", Moment.CANCELLED: "is cancelled"}
    return " or ".join(word for moment, word in words.items() if moment in moments)


def _at_end(moments: Collection[Moment], workflow: str | None) -> EventTrigger:
    from prefect.events import EventTrigger, Posture

    of_treadle = {
        "prefect.resource.role": "tag",
        "prefect.resource.id": ["prefect.tag.run:*", f"prefect.tag.{WORKFLOW_TAG}"],
    }
    of_workflow = {
        "prefect.resource.role": "flow",
        "prefect.resource.name": prefect_name(workflow or ""),
    }
    return EventTrigger(
        expect={f"prefect.flow-run.{state}" for moment in moments for state in _STATES[moment]},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=of_treadle if workflow is None else of_workflow,
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )


def _save(block: Block, name: str) -> UUID:
    """Store a block under a name of its own, made of the notification's; return its id."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    slug = f"treadle-{readable}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"
    number = block.save(slug, overwrite=True)
    if not isinstance(number, UUID):
        raise TypeError("the caller is not asynchronous")
    return number


def _put(
    client: SyncPrefectClient, name: str, description: str, trigger: EventTrigger, action: ActionTypes
) -> Notification:
    from prefect.events import AutomationCore

    wanted = AutomationCore(
        name=name, description=description, tags=[TAG], trigger=trigger, actions=[action], enabled=True
    )
    before = next((automation for automation in _read(client) if automation.name == name), None)
    if before is None:
        number = client.create_automation(wanted)
    else:
        number = before.id
        client.update_automation(number, wanted)
    return Notification(number, name, description, enabled=True)


def _read(client: SyncPrefectClient) -> list[Automation]:
    found: list[Automation] = []
    while len(found) % _PAGE == 0:
        page = client.read_automations(limit=_PAGE, offset=len(found))
        if not page:
            break
        found += page
    return [automation for automation in found if TAG in automation.tags]


def _described(automation: Automation) -> Notification:
    return Notification(automation.id, automation.name, automation.description, automation.enabled)

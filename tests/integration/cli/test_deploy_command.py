"""`treadle deploy` and `treadle deployment`, as people and programs use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

CREATE = "Create Items"


def create_step(**args: Any) -> dict[str, Any]:
    task = {"pkg_name": "treadle-tasks-mock", "version": "0.1.0", "name": CREATE}
    return {"task": task, "args_non_parallel": args}


def test_what_is_not_said_stays_as_it_is(treadle: Command, prepare: Callable[..., tuple[str, str]]) -> None:
    # Given a deployment with everything
    name, dataset = prepare(create_step(count=1))
    weekly = {"cron": "0 4 * * 1", "timezone": "Europe/Zurich", "slug": "weekly"}
    weekly["parameters"] = {"steps": {CREATE: {"count": 7}}}
    first = treadle(
        *("deploy", name, "--dataset", dataset, "--tag", "mine", "--limit", "1", "--when-full", "cancel"),
        *("--every", "6h", "--rrule", "FREQ=DAILY;BYHOUR=5", "--schedule", json.dumps(weekly)),
        *("--timezone", "America/New_York", "--paused"),
    ).data
    assert first["path"] == f"{name}/{name}"
    assert first["paused"] is True
    rules = {schedule["slug"]: schedule for schedule in first["schedules"]}
    assert (rules["weekly"]["cron"], rules["weekly"]["timezone"]) == ("0 4 * * 1", "Europe/Zurich")
    assert rules["weekly"]["parameters"] == weekly["parameters"]
    assert (rules["every-6h"]["every"], rules["every-6h"]["timezone"]) == ("6h", "America/New_York")
    assert len(rules) == 3

    # When it is deployed again with nothing said
    assert treadle("deploy", name).data == first

    # Then only what is said changes, in the same deployment
    second = treadle("deploy", name, "--cron", "0 1 * * *", "--active", "--limit", "0").data
    assert second["id"] == first["id"]
    assert [schedule["cron"] for schedule in second["schedules"]] == ["0 1 * * *"]
    assert (second["limit"], second["paused"], second["tags"]) == (None, False, ["mine"])
    assert second["parameters"] == first["parameters"]
    assert treadle("deploy", name, "--unscheduled").data["schedules"] == []


def test_a_deployment_is_listed_shown_paused_and_removed(
    treadle: Command, prepare: Callable[..., tuple[str, str]]
) -> None:
    name, dataset = prepare(create_step(count=1))
    path = treadle(*("deploy", name, "--dataset", dataset, "--name", "nightly", "--cron", "0 1 * * *")).data[
        "path"
    ]
    assert path == f"{name}/nightly"

    slug = "cron-0-1-x-x-x"
    assert treadle("deployment", "pause", name, "--schedule", slug).data["schedules"][0]["active"] is False
    assert treadle("deployment", "pause", "nightly").data["paused"] is True
    assert treadle("deployment", "resume", path).data["paused"] is False
    assert treadle("deployment", "resume", path, "--schedule", slug).data["schedules"][0]["active"] is True
    assert "0 1 * * *" in treadle("deployment", "show", name, as_json=False).stdout
    assert path in treadle("deployment", "list", as_json=False).stdout

    assert treadle("deployment", "remove", name).data == {"removed": path}
    assert path not in [found["path"] for found in treadle("deployment", "list").data["deployments"]]
    assert "There is no deployment" in treadle("deployment", "remove", name, code=2).stderr


def test_a_deployment_that_its_changed_workflow_does_not_fit_is_listed_with_the_reason(
    treadle: Command, prepare: Callable[..., tuple[str, str]], tmp_path: Any
) -> None:
    name, dataset = prepare(create_step(count=1))
    treadle("deploy", name, "--dataset", dataset, "--arg", f"{CREATE}.count=2")
    file = tmp_path / "workflow.json"
    file.write_text(json.dumps({"name": name, "task_list": [{**create_step(), "alias": "made"}]}))
    treadle("workflow", "import", str(file), "--replace")

    (found,) = [d for d in treadle("deployment", "list").data["deployments"] if d["workflow"] == name]

    assert "no step 'Create Items'" in found["problem"]


def test_a_mistake_is_told_in_one_sentence_and_nothing_is_deployed(
    treadle: Command, prepare: Callable[..., tuple[str, str]]
) -> None:
    name, dataset = prepare(create_step(count=1))
    on = ["--dataset", dataset]

    for words, said in (
        ([*on, "--cron", "0 25 * * *"], "The schedule 'cron 0 25 * * *' cannot be read"),
        ([*on, "--cron", "0 1 * * *", "--timezone", "Mars"], "There is no time zone 'Mars'"),
        ([*on, "--schedule", "{"], "--schedule is no JSON"),
        ([*on, "--arg", "nowhere.count=1"], "begins with no step of workflow"),
        ([*on, "--arg", f"{CREATE}.count=-1"], "-1 is less than the minimum of 0"),
        ([*on, "--arg", f"{CREATE}.counts=1"], "'counts' was unexpected"),
        (["--dataset", "nowhere"], "dataset: 'nowhere' is not one of"),
        (["--cron", "0 1 * * *"], "'dataset' is a required property"),
    ):
        answer = treadle("deploy", name, *words, code=2)
        assert said in answer.stderr
        assert "Traceback" not in answer.stderr

    assert name not in [found["workflow"] for found in treadle("deployment", "list").data["deployments"]]


def test_two_workflows_that_prefect_cannot_tell_apart_do_not_share_a_deployment(
    treadle: Command, tmp_path: Any
) -> None:
    for name in ("this/that", "this-that"):
        file = tmp_path / "workflow.json"
        file.write_text(json.dumps({"name": name, "task_list": [create_step(count=1)]}))
        treadle("workflow", "import", str(file))
    assert treadle("deploy", "this/that").data["path"] == "this-that/this-that"

    assert "of workflow 'this/that'" in treadle("deploy", "this-that", code=2).stderr

    assert treadle("deploy", "this-that", "--name", "other").data["path"] == "this-that/other"

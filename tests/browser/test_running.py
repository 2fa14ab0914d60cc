"""A workflow that a person fills in, starts, watches, understands, cancels and resumes in Prefect's pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Response, expect

from treadle.api import Server, local_server, serving_deployments
from treadle.settings import Settings
from treadle.testing.command import Command

pytestmark = [pytest.mark.browser, pytest.mark.integration]

IMAGING = Path(__file__).parents[2] / "tasks" / "treadle-tasks-imaging"
WELLS = {"A01": "skimage:coins", "A02": "skimage:cell", "B01": "skimage:microaneurysms"}
LONG = 90_000

WAIT_FOR_LEAVE = 'until [ -e "$1/${2##*/}" ]; do sleep 0.1; done; echo "archived ${2##*/}"'


def imaging(name: str, **more: Any) -> dict[str, Any]:
    return {"task": {"pkg_name": "treadle-tasks-imaging", "version": "0.1.0", "name": name}, **more}


def per_item(alias: str, *command: str, **values: str) -> dict[str, Any]:
    ref = {"pkg_name": "treadle-builtin", "version": "1", "name": "Command per item"}
    return {"task": ref, "alias": alias, "args_parallel": {"command": list(command), **values}}


@dataclass
class Plate:
    """A plate of images, and the leave without which none of them is archived."""

    treadle: Command
    folder: Path

    def save(self, name: str, *steps: dict[str, Any]) -> None:
        file = self.folder / "workflow.json"
        file.write_text(json.dumps({"name": name, "task_list": steps}))
        self.treadle("workflow", "import", str(file), "--replace")

    @property
    def leaves(self) -> Path:
        return self.folder / "leaves"

    def give_leave(self, *wells: str) -> None:
        for well in wells:
            (self.leaves / f"{well}.zarr").touch()

    def take_leave_back(self) -> None:
        for leave in self.leaves.iterdir():
            leave.unlink()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with its deployments, as `treadle up` has them."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), port=0)
    with local_server(settings) as server, serving_deployments(settings, server):
        yield server


@pytest.fixture(scope="module")
def plate(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plate]:
    """The images, imported, and a deployed workflow that measures them."""
    plate = Plate(Command(server.folder.parent), tmp_path_factory.mktemp("plate"))
    plate.leaves.mkdir()
    treadle = plate.treadle
    treadle("collect", str(IMAGING))
    images = [{"source": source, "name": name} for name, source in WELLS.items()]
    plate.save("import", imaging("Import Images", args_non_parallel={"images": images}))
    plate.save(
        "cells",
        imaging("Segment by Threshold", alias="segment", args_parallel={"split_depth": 1.0, "min_area": 50}),
        imaging("Overlay Picture", alias="outline", args_parallel={"longer_side": 400}),
        per_item("archive", "sh", "-euc", WAIT_FOR_LEAVE, "sh", str(plate.leaves), "{zarr_url}"),
    )
    for name in ("plate 1", "plate 2"):
        treadle("dataset", "create", name, "--dir", str(plate.folder / name))
    treadle("run", "import", "--dataset", "plate 2")
    treadle("deploy", "cells")
    yield plate
    plate.give_leave(*WELLS)  # so that no run waits for ever, whatever went wrong


def test_workflow_is_filled_in_started_watched_and_understood(
    plate: Plate, open_form: Callable[[str], Any], screenshots: Any
) -> None:
    plate.take_leave_back()
    form = open_form("cells")
    answers: list[Response] = []
    form.page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - sets attributes on it

    form.select("Dataset", "plate 2")
    form.fill("Min Area", "0")
    form.submit()
    refusal = form.page.get_by_label("Min Area").evaluate("field => field.validationMessage")
    assert refusal == "Value must be greater than or equal to 1."
    form.fill("Min Area", "80")
    screenshots.take(form.page, "form")

    form.fill("Memory", "lots")
    form.submit()
    expect(form.page.get_by_text("'lots' does not match").first).to_be_visible(timeout=LONG)
    screenshots.take(form.page, "form-refused")
    assert [answer.status for answer in answers if answer.url.endswith("/create_flow_run")] == [409]
    form.fill("Memory", "2G")

    run = form.start()
    run.wait_for("Running")
    number = run.number
    page, run_url = run.page, run.page.url

    run.open_step("archive")
    run.open_artifact(f"run-{number}-step-2")
    run.until(page.get_by_text("0 done, 0 failed, of 3 units"))
    plate.give_leave("A01")
    run.until(page.get_by_text("1 done, 0 failed, of 3 units"))
    screenshots.take(page, "progress")
    plate.give_leave("A02", "B01")
    run.until(page.get_by_text("3 done, 0 failed, of 3 units"))

    page.get_by_role("link", name="What its units printed").click()
    expect(page.get_by_text("archived B01.zarr")).to_be_visible(timeout=LONG)
    screenshots.take(page, "log")

    page.goto(run_url)
    run.wait_for("Completed")
    run.open_artifact(f"run-{number}-steps")
    for step in ("segment", "outline", "archive"):
        run.until(page.get_by_role("row", name=f"{step} done 3 3"))
    screenshots.take(page, "table")

    page.goto(run_url)
    run.open_artifact(f"run-{number}-step-1-pictures")
    coins = page.get_by_role("img", name="A01:")
    expect(coins).to_be_visible(timeout=LONG)
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert coins.evaluate("image => image.naturalWidth") > 100
    screenshots.take(page, "pictures")

    shown = plate.treadle("show", str(number)).data
    assert (shown["dataset"], shown["state"]) == ("plate 2", "done")


def test_run_is_cancelled_and_resumed_where_it_was(
    plate: Plate, open_form: Callable[[str], Any], screenshots: Any
) -> None:
    plate.take_leave_back()
    plate.give_leave("A01")
    form = open_form("cells")
    form.select("Dataset", "plate 2")
    run = form.start()
    run.wait_for("Running")
    number, page, run_url = run.number, run.page, run.page.url

    run.open_step("archive")
    run.open_artifact(f"run-{number}-step-2")
    run.until(page.get_by_text("1 done, 0 failed, of 3 units"))
    page.goto(run_url)
    run.choose("Cancel")
    run.wait_for("Cancelled")
    screenshots.take(page, "cancelled")
    assert plate.treadle("show", str(number)).data["state"] == "cancelled"

    plate.give_leave("A02", "B01")
    run.choose("Retry")
    run.wait_for("Completed")
    screenshots.take(page, "resumed")

    done = plate.treadle("show", str(number)).data
    assert done["state"] == "done"
    assert [(step["name"], step["done"]) for step in done["steps"]] == [
        ("segment", 3),
        ("outline", 3),
        ("archive", 3),
    ]
    log = plate.treadle("logs", str(number), as_json=False).stdout
    assert [log.count(f"archived {well}.zarr") for well in WELLS] == [1, 1, 1]

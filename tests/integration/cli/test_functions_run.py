"""Plain functions, collected from a folder and run on items as tasks."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

Prepare = Callable[..., tuple[str, str]]

PYPROJECT = """
    [project]
    name = "plain-functions"
    version = "1.2"
    requires-python = ">=3.11"

    [project.entry-points."treadle.tasks"]
    "Make Items" = "plain_functions:make_items"
    "Measure" = "plain_functions:measure"
    "Add up" = "plain_functions:add_up"

    [build-system]
    requires = ["uv_build>=0.12,<0.15"]
    build-backend = "uv_build"
"""

FUNCTIONS = """
    import os
    from datetime import date
    from pathlib import Path
    from typing import Any

    from treadle import task


    def make_items(zarr_dir: str, count: int, day: date) -> dict[str, Any]:
        urls = [f"{zarr_dir}/{day:%Y}-{number}" for number in range(count)]
        return {"image_list_updates": [{"zarr_url": url} for url in urls]}


    @task(output_types={"measured": True}, resources={"cpus_per_task": 1})
    def measure(zarr_url: str, factor: float = 1.0) -> dict[str, Any]:
        words = Path("/proc/self/cmdline").read_text().split("\\0")
        forked = not any(word.endswith("plain_functions--measure.py") for word in words)
        attributes = {"forked": forked, "value": factor * len(Path(zarr_url).name)}
        return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": attributes}]}
"""

FUNCTIONS += """

    def every_second(zarr_urls: list[str], zarr_dir: str, by: int = 2) -> dict[str, Any]:
        found = [{"zarr_url": url, "init_args": {"add": zarr_dir}} for url in zarr_urls[::by]]
        return {"parallelization_list": found}


    @task(init=every_second)
    def add_up(zarr_url: str, init_args: dict[str, Any], terms: list[int]) -> dict[str, Any]:
        attributes = {"sum": sum(terms), "same": zarr_url.startswith(init_args["add"])}
        return {"image_list_updates": [{"zarr_url": zarr_url, "attributes": attributes}]}
"""


@pytest.fixture(scope="module")
def collected(treadle: Command, tmp_path_factory: pytest.TempPathFactory) -> Any:
    project = tmp_path_factory.mktemp("project")
    package = project / "src" / "plain_functions"
    package.mkdir(parents=True)
    (project / "pyproject.toml").write_text(textwrap.dedent(PYPROJECT))
    (package / "__init__.py").write_text(textwrap.dedent(FUNCTIONS))
    return treadle("collect", str(project)).data


def step(name: str, part: str, **rest: Any) -> dict[str, Any]:
    ref = {"pkg_name": "plain-functions", "version": "1.2", "name": name}
    return {"task": ref, part: rest.pop("args"), **rest}


@pytest.mark.parametrize("fresh", [False, True], ids=["warm", "fresh"])
def test_functions_run_on_items_in_warm_and_fresh_interpreters(
    treadle: Command, prepare: Prepare, collected: Any, *, fresh: bool
) -> None:
    assert {task["name"] for task in collected["tasks"]} == {"Make Items", "Measure", "Add up"}
    workflow, dataset = prepare(
        step("Make Items", "args_non_parallel", args={"count": 3, "day": "2024-05-06"}),
        step("Measure", "args_parallel", args={"factor": 2}, meta_parallel={"fresh_process": fresh}),
    )

    run = treadle("run", workflow, "--dataset", dataset).data

    assert [(each["name"], each["done"], each["failed"]) for each in run["steps"]] == [
        ("Make Items", 1, 0),
        ("Measure", 3, 0),
    ]
    items = treadle("dataset", "show", dataset).data["items"]
    assert [Path(item["zarr_url"]).name for item in items] == ["2024-0", "2024-1", "2024-2"]
    assert [item["attributes"] for item in items] == [{"forked": not fresh, "value": 12.0}] * 3
    assert all(item["types"] == {"measured": True} for item in items)


def test_function_with_an_init_function_runs_on_what_that_one_lists(
    treadle: Command, prepare: Prepare, collected: Any
) -> None:
    assert {"name": "Add up", "type": "compound"} in collected["tasks"]
    adding = step("Add up", "args_parallel", args={"terms": [1, 2, 3]}, args_non_parallel={"by": 2})
    workflow, dataset = prepare(
        step("Make Items", "args_non_parallel", args={"count": 3, "day": "2024-05-06"}), adding
    )

    treadle("run", workflow, "--dataset", dataset)

    items = treadle("dataset", "show", dataset).data["items"]
    done = {"sum": 6, "same": True}
    assert [item["attributes"] for item in items] == [done, {}, done]


def test_wrong_arguments_are_refused_before_anything_runs(
    treadle: Command, prepare: Prepare, collected: Any
) -> None:
    assert collected["package"]["name"] == "plain-functions"
    workflow, dataset = prepare(step("Make Items", "args_non_parallel", args={"count": "many"}))

    answer = treadle("run", workflow, "--dataset", dataset, code=2, as_json=False)

    assert "count" in answer.stderr
    assert "day" in answer.stderr

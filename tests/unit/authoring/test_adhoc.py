"""Calls mapped over items, as the runs they become."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.authoring.adhoc import AdHoc, ad_hoc
from treadle.authoring.options import Options
from treadle.authoring.tasks import TaskHandle
from treadle.errors import DatasetInvalid, UsageError
from treadle.model.dataset import Item
from treadle.model.task import TaskType

Make = Callable[..., TaskHandle]
ITEMS = [Item(zarr_url="/data/a/1"), Item(zarr_url="/data/b/2", types={"is_3D": True})]


def mapped(handle: TaskHandle, items: list[Item] = ITEMS, options: Options | None = None) -> AdHoc:
    return ad_hoc(handle(sigma=1), items, options or Options())


def test_a_call_becomes_one_step_over_just_these_items(make_handle: Make) -> None:
    options = Options(resources={"memory": "2G", "account": "lab"}, retries=1, on_failure="continue")
    made = mapped(make_handle(), options=options)
    [step] = made.workflow.steps
    assert (step.name, step.args_parallel, step.meta_parallel) == ("Blur", {"sigma": 1}, {"mem": 2000})
    assert (step.retries.attempts, step.on_failure) == (2, "continue")
    assert made.dataset.items == tuple(ITEMS)
    assert made.size == 2


@pytest.mark.parametrize(
    ("kind", "urls", "folder"),
    [
        (TaskType.PARALLEL, ["/data/a/1", "/data/b/2"], "/"),
        (TaskType.PARALLEL, ["s3://bucket/a/1"], "s3://bucket"),
        (TaskType.NON_PARALLEL, ["/data/a/1", "/data/b/2"], "/data"),
        (TaskType.NON_PARALLEL, ["/data/a/1"], "/data/a"),
        (TaskType.NON_PARALLEL, ["s3://bucket/a/1", "s3://bucket/a/2"], "s3://bucket/a"),
    ],
)
def test_new_items_may_lie_where_the_tasks_type_allows(
    make_handle: Make, kind: TaskType, urls: list[str], folder: str
) -> None:
    items = [Item(zarr_url=url) for url in urls]
    assert mapped(make_handle(kind=kind), items).dataset.zarr_dir == folder


def test_a_task_that_makes_items_from_nothing_wants_a_folder(make_handle: Make) -> None:
    maker = make_handle(kind=TaskType.CONVERTER_NON_PARALLEL)
    with pytest.raises(UsageError, match="with_options\\(folder="):
        mapped(maker, [])
    assert mapped(maker, [], Options(folder="/data/new")).dataset.zarr_dir == "/data/new"


def test_an_item_that_is_there_twice_is_refused(make_handle: Make) -> None:
    with pytest.raises(DatasetInvalid, match="/data/a/1 is to be worked on twice"):
        mapped(make_handle(), [ITEMS[0], ITEMS[0]])


def test_the_digest_tells_apart_what_would_do_something_else(make_handle: Make) -> None:
    handle = make_handle()
    made = {
        mapped(handle).digest,
        mapped(handle, ITEMS[:1]).digest,
        mapped(handle, options=Options(retries=1)).digest,
        mapped(handle, options=Options(cluster="slurm")).digest,
        ad_hoc(handle(sigma=2), ITEMS, Options()).digest,
    }
    assert len(made) == 5
    assert mapped(handle).digest == mapped(handle).digest

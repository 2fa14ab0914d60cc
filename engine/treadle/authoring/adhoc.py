"""A call mapped over items: a run of one step on a dataset of its own."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from treadle.authoring.call import Call
from treadle.authoring.here import Request
from treadle.authoring.options import Options
from treadle.authoring.outcome import is_of_values
from treadle.authoring.resources import meta, overlay
from treadle.authoring.session import Session
from treadle.errors import DatasetInvalid, NothingSelected, TreadleError, UsageError
from treadle.ledger import datasets, runs
from treadle.model.dataset import Dataset, Item, dataset_from_json
from treadle.model.policy import OnFailure, Retries
from treadle.model.task import Part, TaskType
from treadle.model.workflow import Step, Workflow

VERSION = 1


@dataclass(frozen=True, slots=True)
class AdHoc:
    """A run of one step that has not been written to the ledger.

    Attributes:
        workflow: Its workflow, of one step.
        dataset: The dataset that is made for it; its name is chosen when that is stored.
        options: What the author said besides the arguments.
    """

    workflow: Workflow
    dataset: Dataset
    options: Options

    @property
    def name(self) -> str:
        """What it is called: by its task."""
        return self.workflow.name

    @property
    def size(self) -> int:
        """How many items, or values, it is mapped over."""
        calls = self.workflow.steps[0].args(Part.NON_PARALLEL).get("calls")
        return len(calls) if isinstance(calls, list) else len(self.dataset.items)

    @property
    def digest(self) -> str:
        """What tells it from every other that would do something else."""
        content = [
            "treadle.map",
            VERSION,
            self.workflow.model_dump(mode="json"),
            self.dataset.model_dump(mode="json", exclude={"name"}),
            self.options.cluster,
        ]
        return hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()

    def submit(self, session: Session, key: str | None = None) -> int:
        """Return the run's id: that of the run with this key, else of a new one.

        Raises:
            NothingSelected: Items lack types that the task wants.
            WorkflowInvalid: The task's package cannot be used, or the cluster cannot run its units.
        """
        with session.ledger.reading() as tx:
            found = None if key is None else runs.find_run(tx, key)
        if found is not None:
            return found
        stored = self.dataset.model_copy(update={"name": f"map-{uuid4().hex[:12]}"})
        with session.ledger.writing() as tx:
            dataset_id = datasets.create_dataset(tx, stored, transient=True)
        request = Request(
            self.workflow,
            stored.name,
            cluster=self.options.cluster,
            overrides=overlay(self.options.of_run, "the run"),
        )
        try:
            self._check_all_are_selected(request, session)
            return request.submit(session, key=key)
        except TreadleError:
            with session.ledger.writing() as tx:
                datasets.delete_dataset(tx, dataset_id)
            raise

    def _check_all_are_selected(self, request: Request, session: Session) -> None:
        [planned] = request.plan(session).steps
        if planned.task.task.type is TaskType.PARALLEL and planned.units != len(self.dataset.items):
            left_out = len(self.dataset.items) - (planned.units or 0)
            wanted = ", ".join(f"{name}={value}" for name, value in planned.type_filters.items())
            raise NothingSelected(
                f"{left_out} of {self.size} items are not what the task {self.name!r} works on.",
                remedy=f"It takes items with {wanted}: map it over those alone.",
            )


def ad_hoc(call: Call, items: Sequence[Item], options: Options) -> AdHoc:
    """Return the run that maps a call over items.

    Raises:
        DatasetInvalid: An item is there twice, or outside of the folder that was named.
        UsageError: A resource cannot be so, or a converter lacks the folder that it is to fill.
    """
    task = call.task
    parts = task.type.parts
    needed = meta(options.of_units, f"task {task.name!r}")
    if is_of_values(task):
        parts = frozenset({Part.PARALLEL})
    step = call.step(task.name).model_copy(
        update={
            "meta_non_parallel": needed if Part.NON_PARALLEL in parts else None,
            "meta_parallel": needed if Part.PARALLEL in parts else None,
            "retries": Retries(attempts=options.retries + 1),
            "on_failure": OnFailure(options.on_failure),
            "cache": options.cache,
        }
    )
    folder = options.folder or _folder_of(task.type, [item.zarr_url for item in items], task.name)
    twice = [url for url, count in Counter(item.zarr_url for item in items).items() if count > 1]
    if twice:
        raise DatasetInvalid(f"The item {twice[0]} is to be worked on twice.", remedy="Name each item once.")
    images = [item.model_dump(mode="json") for item in items]
    dataset = dataset_from_json({"name": "map", "zarr_dir": folder, "images": images})
    return AdHoc(Workflow(name=task.name, steps=(_validated(step),)), dataset, options)


def _validated(step: Step) -> Step:
    return Step.model_validate(step.model_dump())


def _folder_of(kind: TaskType, urls: Sequence[str], task: str) -> str:
    """Return the folder in which new items may be; a single call gets it as the dataset's folder."""
    if kind.is_converter or not urls:
        raise UsageError(
            f"The task {task!r} needs a folder for the items it makes.",
            remedy="Name it: task.with_options(folder=...).",
        )
    scheme, root = ("s3://", urls[0][5:].split("/")[0]) if urls[0].startswith("s3://") else ("", "/")
    if kind is TaskType.PARALLEL:
        return scheme + root
    parents = [posixpath.dirname(url.removeprefix(scheme)) for url in urls]
    return scheme + posixpath.commonpath(parents)

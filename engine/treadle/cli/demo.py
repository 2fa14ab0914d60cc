"""`treadle demo`: from nothing to results, on images that ship with scikit-image."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from treadle.cli import placing
from treadle.cli.options import AsJson

if TYPE_CHECKING:
    from treadle.cli.session import Session
    from treadle.ledger.runs import RunRecord
    from treadle.model.dataset import Dataset
    from treadle.model.workflow import Workflow

PACKAGE = "treadle-tasks-imaging"
NAME = "demo"
_WORKFLOW_FILE = Path(__file__).with_name("demo_workflow.json")
_CHECKOUT = Path(__file__).resolve().parents[3]


def demo(
    folder: Annotated[
        Path | None,
        typer.Option("--dir", help="Folder for the results; `demo` in Treadle's home folder if not given."),
    ] = None,
    cluster: placing.Cluster = "local",
    as_json: AsJson = False,
) -> None:
    """Show the whole engine at work on sample images.

    It collects a package, then imports, segments and measures images. Each time it makes a dataset of its
    own, demo, demo-2 and so on; earlier results stay.
    """
    from treadle.cli.output import note
    from treadle.cli.running import Request, report_outcome, run_here, server_meanwhile
    from treadle.cli.session import open_session
    from treadle.collect import Progress, collect

    workflow = _read_workflow()
    with open_session() as session:
        with server_meanwhile(session.settings) as ready_server:
            collected = collect(
                package_source(workflow),
                settings=session.settings,
                ledger=session.ledger,
                progress=Progress(note),
            )
            store_workflow(session, workflow, collected.package.version)
            dataset = create_dataset(session, folder or session.settings.home / NAME)
            request = Request(workflow.name, dataset.name, cluster=cluster)
            record = run_here(request, session, ready_server)
        pictures = find_pictures(Path(dataset.zarr_dir))
        more = {"pictures": pictures, "collect_seconds": collected.seconds}
        status = report_outcome(session, record, as_json=as_json, more=more)
    if not as_json:
        _tell_what_next(record, pictures)
    raise typer.Exit(status)


def package_source(workflow: Workflow, checkout: Path = _CHECKOUT) -> str:
    """Return what to collect: the folder in a checkout of Treadle, else the release on the index."""
    folder = checkout / "tasks" / PACKAGE
    if (folder / "pyproject.toml").is_file():
        return str(folder)
    return f"{PACKAGE}=={workflow.steps[0].task.version}"


def find_pictures(folder: Path) -> list[Path]:
    """Return the pictures that the workflow leaves beside its images, the contact sheet first."""
    return [*sorted(folder.glob("*.png")), *sorted(folder.glob("overlays/*.png"))]


def store_workflow(session: Session, workflow: Workflow, version: str) -> None:
    """Store the workflow with the package's version that was collected."""
    from treadle.ledger import workflows

    steps = tuple(
        step.model_copy(update={"task": step.task.model_copy(update={"version": version})})
        for step in workflow.steps
    )
    with session.ledger.writing() as tx:
        workflows.save_workflow(tx, workflow.model_copy(update={"steps": steps}), replace=True)


def create_dataset(session: Session, folder: Path) -> Dataset:
    """Create the first dataset of the series that exists neither in the ledger nor on disk."""
    from treadle.errors import AlreadyExists
    from treadle.ledger import datasets
    from treadle.model.dataset import dataset_from_json

    place = folder.expanduser().absolute()
    for number in itertools.count(1):
        name = NAME if number == 1 else f"{NAME}-{number}"
        if (place / name).exists():
            continue
        dataset = dataset_from_json({"name": name, "zarr_dir": str(place / name)})
        try:
            with session.ledger.writing() as tx:
                datasets.create_dataset(tx, dataset)
        except AlreadyExists:
            continue
        return dataset
    raise AssertionError("the series of names has no end")


def _read_workflow() -> Workflow:
    from treadle.cli.documents import read_json
    from treadle.errors import WorkflowInvalid
    from treadle.model.workflow import workflow_from_json

    return workflow_from_json(read_json(_WORKFLOW_FILE, WorkflowInvalid))


def _tell_what_next(run: RunRecord, pictures: list[Path]) -> None:
    from treadle.cli.output import print_line
    from treadle.cli.typed import as_typed

    if pictures:
        print_line(f"Picture: {pictures[0]}")
    print_line(f"Look around: {as_typed(f'treadle show {run.id}')}")
    print_line(f"See the run in Prefect's UI: {as_typed('treadle up')}, then open the URL it prints")

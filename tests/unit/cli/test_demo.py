"""Parts of the demonstration that need no run."""

from __future__ import annotations

import json
from pathlib import Path

from treadle.cli import demo
from treadle.cli.session import open_session
from treadle.ledger import workflows
from treadle.model.workflow import workflow_from_json

WORKFLOW = workflow_from_json(json.loads(Path(demo.__file__).with_name("demo_workflow.json").read_text()))


def test_demonstration_uses_one_package_in_five_steps_or_more() -> None:
    assert len(WORKFLOW.steps) >= 5
    assert {step.task.pkg_name for step in WORKFLOW.steps} == {demo.PACKAGE}


def test_package_comes_from_the_checkout_else_from_the_index(tmp_path: Path) -> None:
    version = WORKFLOW.steps[0].task.version
    assert demo.package_source(WORKFLOW, tmp_path) == f"treadle-tasks-imaging=={version}"
    folder = tmp_path / "tasks" / "treadle-tasks-imaging"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    assert demo.package_source(WORKFLOW, tmp_path) == str(folder)


def test_workflow_is_stored_with_the_version_that_was_collected() -> None:
    with open_session() as session:
        demo.store_workflow(session, WORKFLOW, "9.8")
        demo.store_workflow(session, WORKFLOW, "9.9")
        with session.ledger.reading() as tx:
            _, stored = workflows.load_workflow(tx, WORKFLOW.name)
    assert {step.task.version for step in stored.steps} == {"9.9"}
    assert [step.name for step in stored.steps] == [step.name for step in WORKFLOW.steps]


def test_each_time_there_is_a_dataset_that_touches_no_earlier_one(tmp_path: Path) -> None:
    """A name counts as taken by a dataset of the ledger, and by a folder that lies there already."""
    (tmp_path / "out" / "demo-2").mkdir(parents=True)
    with open_session() as session:
        made = [demo.create_dataset(session, tmp_path / "out") for _ in range(3)]
    assert [dataset.name for dataset in made] == ["demo", "demo-3", "demo-4"]
    assert [dataset.zarr_dir for dataset in made] == [str(tmp_path / "out" / entry.name) for entry in made]


def test_contact_sheet_comes_before_the_overlays(tmp_path: Path) -> None:
    (tmp_path / "overlays").mkdir()
    for name in ("overlays/a.png", "sheet.png", "overlays/b.png", "table.csv"):
        (tmp_path / name).touch()
    names = [str(path.relative_to(tmp_path)) for path in demo.find_pictures(tmp_path)]
    assert names == ["sheet.png", "overlays/a.png", "overlays/b.png"]

from __future__ import annotations

from collections.abc import Callable

from treadle.ledger import Ledger, datasets, lifecycle, packages, runs, workflows
from treadle.ledger.packages import PackageRecord
from treadle.model.dataset import Dataset
from treadle.model.plan import Plan
from treadle.model.states import RunState

Add = Callable[..., PackageRecord]

NEW = {"lock": "a==1", "python": "/python", "python_version": "3.11.2", "path": "/environments/new"}


def test_announced_environment_is_on_record_before_it_is_built(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        lifecycle.announce_environment(tx, environment_id="new", state="pending", **NEW)
        lifecycle.announce_environment(tx, environment_id="new", state="building", **NEW)
        found = packages.get_environment(tx, "new")
    assert found is not None
    assert (found.state, found.lock, found.size_bytes) == ("building", "a==1", 0)


def test_environment_is_forgotten_only_if_no_package_is_in_it(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        package = add_package(tx)
        assert not lifecycle.forget_environment(tx, "e1")
        lifecycle.remove_package(tx, package.id)
        assert lifecycle.forget_environment(tx, "e1")
        assert packages.get_environment(tx, "e1") is None
        assert packages.list_tasks(tx) == []
        assert packages.get_package(tx, package.id) is None


def test_holders_are_the_packages_of_an_environment(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        one, two = add_package(tx), add_package(tx, name="other")
        add_package(tx, name="elsewhere", environment="e2")
        lifecycle.set_active(tx, two.id, active=False)
        held = lifecycle.holders(tx, "e1")
    assert [(holder.name, holder.active, holder.owner) for holder in held] == [
        ("some-package", True, "local"),
        ("other", False, "local"),
    ]
    assert [holder.id for holder in held] == [one.id, two.id]


def test_packages_move_with_their_roots(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        package = add_package(tx)
        old = packages.get_environment(tx, "e1")
        assert old is not None
        lifecycle.announce_environment(tx, environment_id="new", state="ready", **NEW)
        lifecycle.move_packages(tx, old, "new", "/environments/new")
        moved = packages.get_package(tx, package.id)
    assert moved is not None
    assert (moved.environment_id, moved.root) == ("new", "/environments/new/root")


def test_workflows_and_unfinished_runs_that_use_a_package_are_found(
    ledger: Ledger, plan: Plan, dataset: Dataset
) -> None:
    with ledger.writing() as tx:
        package = packages.find_package(tx, "some-package")
        assert package is not None
        assert lifecycle.workflows_using(tx, package) == lifecycle.runs_using(tx, package) == []
        workflows.save_workflow(tx, plan.workflow, replace=False)
        run = runs.create_run(tx, plan, None, datasets.create_dataset(tx, dataset), dataset)
        assert lifecycle.workflows_using(tx, package) == ["segment"]
        assert lifecycle.runs_using(tx, package) == [run]
        assert lifecycle.environments_in_use(tx) == {"e1": [run]}
        runs.set_run_state(tx, run, RunState.CANCELLED)
        assert lifecycle.runs_using(tx, package) == []
        assert lifecycle.environments_in_use(tx) == {}


def test_use_is_marked(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        add_package(tx)
        add_package(tx, name="other", environment="e2")
        lifecycle.mark_used(tx, {"e1"})
        used = {record.id: record.used_at is not None for record in packages.list_environments(tx)}
    assert used == {"e1": True, "e2": False}

from __future__ import annotations

from collections.abc import Callable

import pytest

from treadle.errors import AlreadyExists
from treadle.ledger import Ledger, packages
from treadle.ledger.packages import PackageRecord
from treadle.model.task import Installed, Task, TaskRef

Add = Callable[..., PackageRecord]


def ref(name: str, *, package: str = "some-package", version: str | None = "1.0") -> TaskRef:
    return TaskRef(pkg_name=package, version=version, name=name)


def test_a_package_is_recorded_under_its_normalised_name(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        record = add_package(tx, name="Some__Package", tasks=("Threshold", "Measure"))
        assert (record.name, record.version, record.tasks) == ("some-package", "1.0", 2)
        assert record.source == "Some__Package==1.0"
        assert packages.find_package(tx, "SOME.package", "1.0") == record
        assert packages.find_package(tx, "some-package", "2.0") is None
        assert packages.find_package(tx, "other") is None


def test_without_a_version_the_newest_release_is_found(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        for version in ("1.9", "1.10", "2.0rc1"):
            add_package(tx, version=version)
        add_package(tx, name="early", version="0.1a1")
        newest = packages.find_package(tx, "some-package")
        only = packages.find_package(tx, "early")
        listed = [(package.name, package.version) for package in packages.list_packages(tx)]
    assert newest is not None
    assert newest.version == "1.10"
    assert only is not None
    assert listed == [
        ("early", "0.1a1"),
        *(("some-package", version) for version in ("1.9", "1.10", "2.0rc1")),
    ]


def test_a_task_is_found_by_what_a_workflow_calls_it(
    ledger: Ledger, add_package: Add, task: Callable[..., Task]
) -> None:
    with ledger.writing() as tx:
        add_package(tx)
        found = packages.find_task(tx, ref("Threshold", package="SOME_package"))
        assert packages.find_task(tx, ref("Threshold", version=None)) is None
        assert packages.find_task(tx, ref("threshold")) is None
    assert found is not None
    assert found.task == task()
    assert found.installed == Installed(
        environment="e1", python="/environments/e1/bin/python", root="/environments/e1/root"
    )


def test_several_tasks_are_found_at_once_under_the_references_given(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        add_package(tx, tasks=("Threshold", "Measure"))
        add_package(tx, version="2.0")
        wanted = [ref("Measure"), ref("Threshold", version="2.0"), ref("Threshold", package="Some.Package")]
        found = packages.find_tasks(tx, [*wanted, ref("Measure", version="2.0"), ref("X", package="unknown")])
    assert {key: (task.task.name, task.task.version) for key, task in found.items()} == {
        wanted[0]: ("Measure", "1.0"),
        wanted[1]: ("Threshold", "2.0"),
        wanted[2]: ("Threshold", "1.0"),
    }


def test_tasks_are_listed_in_the_order_of_packages_and_manifests(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        add_package(tx, version="10.0")
        add_package(tx, version="9.0", tasks=("Threshold", "Measure"))
        add_package(tx, name="another", tasks=("Import",))
        everything = [(task.task.version, task.task.name) for task in packages.list_tasks(tx)]
        of_one = [task.task.name for task in packages.list_tasks(tx, "Another")]
    assert everything == [("1.0", "Import"), ("9.0", "Threshold"), ("9.0", "Measure"), ("10.0", "Threshold")]
    assert of_one == ["Import"]


def test_collecting_the_same_again_changes_no_id(ledger: Ledger, add_package: Add) -> None:
    with ledger.writing() as tx:
        first = add_package(tx, tasks=("Threshold", "Measure"))
        before = packages.list_tasks(tx)
        assert add_package(tx, tasks=("Threshold", "Measure")) == first
        assert packages.list_tasks(tx) == before


@pytest.mark.parametrize("origin", ["folder", "wheel"])
def test_a_rebuilt_version_replaces_the_old_one_and_keeps_ids(
    ledger: Ledger, add_package: Add, origin: packages.Origin
) -> None:
    with ledger.writing() as tx:
        first = add_package(tx, origin=origin, tasks=("Threshold", "Measure"))
        ids = {task.task.name: task.id for task in packages.list_tasks(tx)}
        again = add_package(tx, origin=origin, environment="e2", tasks=("Import", "Threshold"))
        tasks = {task.task.name: task for task in packages.list_tasks(tx)}
    assert (again.id, again.environment_id, again.tasks) == (first.id, "e2", 2)
    assert tasks.keys() == {"Import", "Threshold"}
    assert tasks["Threshold"].id == ids["Threshold"]
    assert tasks["Import"].id not in ids.values()
    assert tasks["Threshold"].installed.environment == "e2"


@pytest.mark.parametrize(("first", "second"), [("index", "index"), ("index", "folder"), ("wheel", "index")])
def test_a_version_of_an_index_never_changes(
    ledger: Ledger, add_package: Add, first: packages.Origin, second: packages.Origin
) -> None:
    with ledger.writing() as tx:
        record = add_package(tx, origin=first)
    with pytest.raises(AlreadyExists, match=r"Some_Package 1\.0 was collected"), ledger.writing() as tx:
        add_package(tx, origin=second, environment="e2")
    with ledger.reading() as tx:
        assert packages.find_package(tx, "some-package", "1.0") == record


def test_an_environment_is_recorded_once_and_kept_up_to_date(ledger: Ledger) -> None:
    fields = {"lock": "l", "python": "/usr/bin/python3", "python_version": "3.11.2", "build_seconds": 1.0}
    with ledger.writing() as tx:
        first = packages.add_environment(tx, environment_id="e", path="/old", size_bytes=2**40, **fields)
        moved = packages.add_environment(tx, environment_id="e", path="/new", size_bytes=1, **fields)
        assert packages.get_environment(tx, "e") == moved
        assert packages.list_environments(tx) == [moved]
        assert packages.get_environment(tx, "f") is None
    assert (first.size_bytes, first.state) == (2**40, "ready")
    assert (moved.path, moved.created_at) == ("/new", first.created_at)

"""Functions of the engine's own environment as tasks."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.collect.functions import function_name, register_functions
from treadle.collect.register import known_lock
from treadle.errors import SourceInvalid
from treadle.ledger import Ledger, packages, sqlite_url
from treadle.model.task import Part, Task, TaskPart, TaskRef, TaskType

REF = TaskRef(pkg_name="Sums", version="1", name="Add")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(sqlite_url(tmp_path / "ledger.db")) as opened:
        yield opened


def summing(part: TaskPart) -> Task:
    return Task(package="Sums", version="1", name="Add", type=TaskType.PARALLEL, parallel=part)


def test_a_function_is_named_by_its_module_and_its_place_in_it() -> None:
    assert function_name(math.fsum) == "math:fsum"
    assert function_name(Path.exists) == f"{Path.exists.__module__}:Path.exists"


def test_a_function_that_no_worker_could_import_is_refused() -> None:
    def local() -> None: ...

    for function in (local, lambda: None):
        with pytest.raises(SourceInvalid, match="cannot be imported"):
            function_name(function)


def test_a_registered_function_is_found_like_any_task_and_needs_no_environment_of_its_own(
    ledger: Ledger,
) -> None:
    package = register_functions(
        ledger, package="Sums", version="1", tasks=[summing(TaskPart(function="math:fsum"))]
    )
    with ledger.reading() as tx:
        found = packages.find_task(tx, REF)
        [environment] = packages.list_environments(tx)
    assert package.origin == "python"
    assert environment.path == sys.prefix
    assert found is not None
    assert found.function(Part.PARALLEL) == "math:fsum"
    assert known_lock(ledger, "sums", "1") is None


def test_registering_again_keeps_the_ids_and_brings_the_tasks_up_to_date(ledger: Ledger) -> None:
    for name in ("math:fsum", "math:prod"):
        register_functions(ledger, package="Sums", version="1", tasks=[summing(TaskPart(function=name))])
    with ledger.reading() as tx:
        [task] = packages.list_tasks(tx, "sums")
        assert len(packages.list_environments(tx)) == 1
    assert (task.id, task.function(Part.PARALLEL)) == (1, "math:prod")


def test_an_executable_is_not_registered_as_a_function(ledger: Ledger) -> None:
    with pytest.raises(SourceInvalid, match="not a function"):
        register_functions(ledger, package="Sums", version="1", tasks=[summing(TaskPart(executable="a.py"))])
    with ledger.reading() as tx:
        assert packages.list_packages(tx) == []

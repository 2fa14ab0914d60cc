"""What becomes of packages and environments after they are collected."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from treadle.collect import Progress, lifecycle
from treadle.collect.environments.removal import remove_tree
from treadle.collect.environments.staging import alone
from treadle.collect.lifecycle import collect_garbage, heal
from treadle.errors import (
    AlreadyExists,
    BuildFailed,
    Cancelled,
    InterpreterMissing,
    InUse,
    UnknownName,
    UsageError,
)
from treadle.ledger import datasets, packages, runs
from treadle.ledger.lifecycle import announce_environment, set_active, set_environment_state
from treadle.model.dataset import Dataset, Item
from treadle.model.plan import make_plan
from treadle.model.states import RunState
from treadle.model.workflow import Step, Workflow
from treadle.runs.resume import check_resumable
from treadle.runs.submit import submit
from treadle.runs.workflows import import_workflow

pytestmark = pytest.mark.integration


def act(here, verb: str, package, **settings):
    change = getattr(lifecycle, verb)
    chosen = here.settings.model_copy(update=settings)
    here.phases.clear()
    progress = Progress(here.phases.append)
    return change(package.id, settings=chosen, ledger=here.ledger, progress=progress)


def state(here, environment_id: str) -> str | None:
    with here.ledger.reading() as tx:
        found = packages.get_environment(tx, environment_id)
    return found and found.state


def content(environment: Path) -> dict[str, bytes]:
    """All files that count, by their place; records of the build differ from build to build."""
    return {
        str(path.relative_to(environment)): path.read_bytes()
        for path in environment.rglob("*")
        if path.is_file() and not path.is_symlink() and not path.name.startswith("treadle-")
    }


def add_workflow(here, name: str = "measure all") -> None:
    ref = {"pkg_name": "tiny-tasks", "version": "1.0", "name": "Measure"}
    import_workflow(here.ledger, {"name": name, "task_list": [{"task": ref}]}, replace=False)
    dataset = Dataset(name=name, zarr_dir="/data", items=(Item(zarr_url="/data/one"),))
    with here.ledger.writing() as tx:
        datasets.create_dataset(tx, dataset)


def add_run(here, name: str = "measure all") -> int:
    return submit(here.ledger, workflow=name, dataset=name, type_filters={}, attribute_filters={})


# deactivate and reactivate


def test_deactivated_package_is_gone_from_the_disk_and_comes_back_identical(here, index, make_wheel) -> None:
    index.add(
        make_wheel("tiny-library", files={"tiny_library.py": "A = 1\n"}),
        make_wheel(requires=["tiny-library"]),
    )
    collected = here.collect("tiny-tasks")
    folder = Path(collected.environment.path)
    before = content(folder)

    inactive = act(here, "deactivate", collected.package)

    assert (inactive.active, state(here, collected.environment.id)) == (False, "inactive")
    assert here.environments == []
    index.add(make_wheel("tiny-library", "2.0", files={"tiny_library.py": "A = 2\n"}))

    active = act(here, "reactivate", collected.package)

    assert active == collected.package
    assert state(here, collected.environment.id) == "ready"
    assert "resolving" not in here.phases
    assert content(folder) == before


def test_package_of_a_wheel_comes_back_without_the_file(here, make_wheel) -> None:
    wheel = make_wheel()
    package = here.collect(wheel).package
    act(here, "deactivate", package)
    wheel.unlink()

    assert act(here, "reactivate", package).active


def test_both_can_be_repeated(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    for _ in range(2):
        assert not act(here, "deactivate", package).active
    for _ in range(2):
        assert act(here, "reactivate", package).active


def test_collecting_an_inactive_package_activates_it(here, make_wheel) -> None:
    wheel = make_wheel()
    collected = here.collect(wheel)
    act(here, "deactivate", collected.package)

    again = here.collect(wheel)

    assert again.new
    assert (again.package, again.environment.id) == (collected.package, collected.environment.id)


def add_pair(index, make_wheel) -> None:
    """Two packages that ask for each other, so that both have one lock."""
    files = {"tiny/__init__.py": "", "tiny/measure.py": "", "tiny/__FRACTAL_MANIFEST__.json": MANIFEST}
    other = {name.replace("tiny/", "other/"): text for name, text in files.items()}
    index.add(make_wheel("tiny-tasks", files=files, requires=["other-tasks"]))
    index.add(make_wheel("other-tasks", files=other, requires=["tiny-tasks"]))


def test_environment_stays_while_another_active_package_is_in_it(here, index, make_wheel) -> None:
    add_pair(index, make_wheel)
    one, two = here.collect("tiny-tasks"), here.collect("other-tasks")
    assert one.environment.id == two.environment.id

    act(here, "deactivate", one.package)
    assert here.environments == [one.environment.id]
    assert state(here, one.environment.id) == "ready"
    act(here, "delete", two.package)

    assert here.environments == []
    assert state(here, one.environment.id) == "inactive"
    act(here, "delete", one.package)
    assert here.registered == []


MANIFEST = (
    '{"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}'
)


def test_wheel_that_is_gone_is_said_with_what_to_do(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    act(here, "deactivate", package)
    shutil.rmtree(here.settings.wheels_folder)

    with pytest.raises(BuildFailed, match=r"names wheels that are gone: tiny_tasks-1\.0") as caught:
        act(here, "reactivate", package)

    assert "treadle collect" in caught.value.remedy
    assert here.environments == []
    assert state(here, package.environment_id) == "inactive"


def test_failed_reactivation_leaves_the_package_inactive(
    here, index, make_wheel, monkeypatch, tmp_path
) -> None:
    index.add(make_wheel())
    package = here.collect("tiny-tasks").package
    act(here, "deactivate", package)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))
    index.stop()

    with pytest.raises(BuildFailed, match="index did not serve"):
        act(here, "reactivate", package)

    assert state(here, package.environment_id) == "inactive"
    assert here.environments == []


# what is in use


def test_package_of_a_run_that_is_not_at_its_end_stays(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    add_workflow(here)
    run = add_run(here)

    for verb in ("deactivate", "delete"):
        with pytest.raises(InUse, match=rf"tiny-tasks 1\.0 is used by run {run}") as caught:
            act(here, verb, package)
        assert f"treadle cancel {run}" in caught.value.remedy
    assert here.environments == [package.environment_id]

    with here.ledger.writing() as tx:
        runs.set_run_state(tx, run, RunState.CANCELLED)
    assert not act(here, "deactivate", package).active


def test_package_of_a_workflow_is_not_deleted_and_the_workflow_is_named(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    add_workflow(here)

    with pytest.raises(InUse, match="workflow 'measure all'") as caught:
        act(here, "delete", package)

    assert "treadle package deactivate tiny-tasks --version 1.0" in caught.value.remedy
    assert not act(here, "deactivate", package).active


def test_deleted_package_leaves_nothing(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package

    assert act(here, "delete", package) == package

    assert here.environments == here.registered == []
    with pytest.raises(UnknownName):
        act(here, "delete", package)


@pytest.mark.parametrize(
    ("broken", "said", "command"),
    [(False, "tiny-tasks 1.0 is inactive", "reactivate"), (True, "tiny-tasks 1.0 is broken", "repair")],
)
def test_run_with_a_package_that_cannot_be_used_is_refused(
    here, make_wheel, broken: bool, said: str, command: str
) -> None:
    package = here.collect(make_wheel()).package
    add_workflow(here)
    if broken:
        remove_tree(here.settings.environments_folder / package.environment_id)
        heal(here.settings, here.ledger)
    else:
        act(here, "deactivate", package)

    with pytest.raises(UsageError) as caught:
        add_run(here)

    assert said in caught.value.what
    assert f"treadle package {command} tiny-tasks --version 1.0" in caught.value.remedy


def test_run_is_not_resumed_without_the_environment_it_was_planned_for(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    add_workflow(here)
    run = add_run(here)
    with here.ledger.writing() as tx:
        runs.set_run_state(tx, run, RunState.CANCELLED)
    check_resumable(here.ledger, run)
    act(here, "deactivate", package)

    with pytest.raises(UsageError, match=r"tiny-tasks 1\.0 is inactive"):
        check_resumable(here.ledger, run)

    here.collect(make_wheel(files=FILES))
    with pytest.raises(UsageError, match=r"tiny-tasks 1\.0 is in another environment now"):
        check_resumable(here.ledger, run)


def test_submission_marks_the_environment_as_used(here, make_wheel) -> None:
    collected = here.collect(make_wheel())
    assert collected.environment.used_at is None
    add_workflow(here)

    add_run(here)

    with here.ledger.reading() as tx:
        used = packages.get_environment(tx, collected.environment.id)
    assert used is not None
    assert used.used_at is not None


# repair


def another_build(folder: Path) -> Path:
    """A Python of this version that says it is another build; the machine need not have a second one."""
    home = folder / "another python"
    real = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    standard = Path(os.__file__).parent
    library = home / "lib" / version
    library.mkdir(parents=True)
    (home / "bin").mkdir()
    shutil.copy2(real, home / "bin" / version)
    for entry in standard.iterdir():
        if entry.name not in {"site-packages", "dist-packages", "__pycache__", "sitecustomize.py"}:
            (library / entry.name).symlink_to(entry)
    (library / "sitecustomize.py").write_text("import sys\nsys.version += ' (rebuilt)'\n")
    return home / "bin" / version


@pytest.fixture
def vanishing(here, tmp_path: Path, make_wheel):
    """A package on an interpreter that can be taken away."""
    python = another_build(tmp_path)
    collected = here.collect(make_wheel(), python=str(python))
    return python, collected


def test_package_whose_interpreter_vanished_is_broken_and_repaired_on_the_one_of_its_version(
    here, vanishing
) -> None:
    python, collected = vanishing
    old = collected.environment.id
    assert collected.environment.python == str(python)
    python.unlink()
    heal(here.settings, here.ledger)
    assert state(here, old) == "broken"

    repaired = act(here, "repair", collected.package)

    assert repaired.id == collected.package.id
    assert repaired.environment_id != old  # another build of Python is another environment
    assert here.environments == [repaired.environment_id]
    assert (state(here, old), state(here, repaired.environment_id)) == (None, "ready")
    assert Path(repaired.root).is_dir()
    task = Path(repaired.root) / "tasks" / "measure.py"
    environment = here.settings.environments_folder / repaired.environment_id
    done = subprocess.run([environment / "bin" / "python", task], capture_output=True, text=True, check=True)
    assert done.stdout == "hello from tiny\n"


def test_reactivating_on_a_vanished_interpreter_names_the_repair(here, vanishing) -> None:
    python, collected = vanishing
    act(here, "deactivate", collected.package)
    python.unlink()

    with pytest.raises(InterpreterMissing) as caught:
        act(here, "reactivate", collected.package)

    assert "treadle package repair tiny-tasks --version 1.0" in caught.value.remedy
    assert act(here, "repair", collected.package).active


def test_interpreter_that_became_another_build_is_not_taken_for_the_old_one(here, vanishing) -> None:
    python, collected = vanishing
    act(here, "deactivate", collected.package)
    (python.parents[1] / "lib" / python.name / "sitecustomize.py").write_text("")

    with pytest.raises(InterpreterMissing, match="is another Python now") as caught:
        act(here, "reactivate", collected.package)

    assert "repair" in caught.value.remedy


def test_repair_without_an_interpreter_of_that_version_says_what_to_do(here, vanishing, tmp_path) -> None:
    python, collected = vanishing
    python.unlink()

    with pytest.raises(InterpreterMissing, match=r"there is no Python 3\.\d+ any more") as caught:
        act(here, "repair", collected.package, python=tmp_path / "none")

    assert "pythons" in caught.value.remedy


def test_damaged_environment_is_repaired_in_its_place(here, make_wheel) -> None:
    collected = here.collect(make_wheel())
    remove_tree(Path(collected.environment.path))

    assert act(here, "repair", collected.package) == collected.package

    assert here.environments == [collected.environment.id]
    assert act(here, "repair", collected.package) == collected.package
    assert here.phases == []  # there is nothing to do


def test_collecting_what_lost_its_interpreter_names_the_repair(here, index, make_wheel, tmp_path) -> None:
    """A version of an index stays in its environment, which nothing but a repair may move."""
    index.add(make_wheel())
    python = another_build(tmp_path)
    site = replace(here, settings=here.settings.model_copy(update={"python": python}))
    collected = site.collect("tiny-tasks==1.0")
    python.unlink()

    with pytest.raises(AlreadyExists) as caught:
        here.collect("tiny-tasks==1.0")

    assert "treadle package repair tiny-tasks --version 1.0" in caught.value.remedy
    assert act(here, "repair", collected.package).environment_id != collected.environment.id
    assert not here.collect("tiny-tasks==1.0").new


def test_environment_that_is_built_in_another_home_takes_its_packages_there(
    here, index, make_wheel, tmp_path
) -> None:
    """The ledger has one place for an environment: that of the home which built it last."""
    add_pair(index, make_wheel)
    here.collect("tiny-tasks")
    two = here.collect("other-tasks").package
    other = replace(here, settings=here.settings.model_copy(update={"home": tmp_path / "other home"}))

    other.collect("tiny-tasks")

    with here.ledger.reading() as tx:
        moved = packages.get_package(tx, two.id)
    assert moved is not None
    assert Path(moved.root).is_dir()
    assert Path(moved.root).is_relative_to(other.settings.environments_folder)


# states


def test_states_follow_the_build(here, make_wheel, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Watching(list):  # type: ignore[type-arg]
        def append(self, phase: str) -> None:
            with here.ledger.reading() as tx:
                seen.extend((phase, record.state) for record in packages.list_environments(tx))

    monkeypatch.setattr(here, "phases", Watching())
    collected = here.collect(make_wheel())

    assert ("building the environment", "building") in seen
    assert state(here, collected.environment.id) == "ready"


def test_builder_that_waits_is_pending_and_can_be_cancelled(here, make_wheel) -> None:
    """Another process holds the environment; what waits for it ends within a moment."""
    wheel = make_wheel()
    identity = here.preview(wheel).environment_id
    progress = Progress(here.phases.append)
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            replaced = replace(here)
            from treadle.collect import collect

            collect(str(wheel), settings=replaced.settings, ledger=replaced.ledger, progress=progress)
        except Cancelled as error:
            failed.append(error)

    with alone(here.settings.environments_folder / identity, waiting=lambda: None):
        thread = threading.Thread(target=wait)
        thread.start()
        deadline = time.monotonic() + 60
        while not any("waiting for another process" in phase for phase in here.phases):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert state(here, identity) == "pending"
        progress.stop.set()
        thread.join(60)
    assert len(failed) == 1
    heal(here.settings, here.ledger)
    assert here.registered == []


def test_rows_of_dead_builders_are_settled_by_whoever_looks(here, make_wheel) -> None:
    collected = here.collect(make_wheel())
    with here.ledger.writing() as tx:
        set_environment_state(tx, collected.environment.id, "building")
        announce_environment(
            tx,
            environment_id="never-built",
            lock="",
            python="/python",
            python_version="3.11",
            path=str(here.settings.environments_folder / "never-built"),
            state="building",
        )

    heal(here.settings, here.ledger)

    assert state(here, collected.environment.id) == "ready"
    assert state(here, "never-built") is None


def test_row_of_a_living_builder_is_left_alone(here) -> None:
    folder = here.settings.environments_folder / "being-built"
    with here.ledger.writing() as tx:
        announce_environment(
            tx,
            environment_id="being-built",
            lock="",
            python="/python",
            python_version="3.11",
            path=str(folder),
            state="building",
        )

    with alone(folder, waiting=lambda: None):
        heal(here.settings, here.ledger)
        assert state(here, "being-built") == "building"


def test_several_packages_are_collected_at_once(here, make_wheel) -> None:
    wheels = [make_wheel(f"tiny-tasks-{number}") for number in range(6)]

    with ThreadPoolExecutor(len(wheels)) as threads:
        collected = list(threads.map(here.collect, wheels))

    assert {entry.package.name for entry in collected} == {f"tiny-tasks-{number}" for number in range(6)}
    assert len(here.environments) == 6
    assert {state(here, entry.environment.id) for entry in collected} == {"ready"}


def test_deactivation_that_was_killed_before_the_removal_is_finished_by_the_next(here, make_wheel) -> None:
    collected = here.collect(make_wheel())
    with here.ledger.writing() as tx:
        set_active(tx, collected.package.id, active=False)
        set_environment_state(tx, collected.environment.id, "inactive")
    heal(here.settings, here.ledger)
    assert here.environments == [collected.environment.id]

    act(here, "deactivate", collected.package)

    assert here.environments == []


# garbage


def gc(here, *, days: int = 0, dry_run: bool = False):
    return collect_garbage(
        older_than=timedelta(days=days),
        dry_run=dry_run,
        settings=here.settings,
        ledger=here.ledger,
        progress=Progress(here.phases.append),
    )


def make_old(*paths: Path) -> None:
    """Let wheels be of yesterday: younger ones may be about to be used."""
    for path in paths:
        os.utime(path, (time.time() - 86_400, time.time() - 86_400))


def test_what_nothing_needs_is_removed_and_the_rest_stays(here, make_wheel) -> None:
    first = here.collect(make_wheel())
    changed = {**FILES, "tiny/new.py": "NEW = 1\n"}
    second = here.collect(make_wheel(files=changed))
    make_old(*here.settings.wheels_folder.glob("[!.]*"))
    half = here.settings.environments_folder / "abc.1.building"
    (half / "inner").mkdir(parents=True)

    shown = gc(here, dry_run=True)
    assert here.environments == sorted([first.environment.id, second.environment.id, half.name])
    removed = gc(here)

    kinds = [(garbage.kind, garbage.name) for garbage in removed]
    assert kinds[:2] == [("leftover", half.name), ("environment", first.environment.id)]
    assert [garbage.kind for garbage in shown] == ["leftover", "environment"]  # its wheel is still named
    assert here.environments == [second.environment.id]
    assert state(here, first.environment.id) is None
    assert [garbage.name for garbage in removed if garbage.kind == "wheel"] == [
        "tiny_tasks-1.0-py3-none-any.whl"
    ]
    assert len(list(here.settings.wheels_folder.glob("[!.]*"))) == 1
    assert not here.collect(make_wheel(files=changed)).new


FILES = {"tiny/__init__.py": "", "tiny/measure.py": "", "tiny/__FRACTAL_MANIFEST__.json": MANIFEST}


def test_what_was_used_lately_stays(here, make_wheel) -> None:
    here.collect(make_wheel())
    here.collect(make_wheel(files=FILES))

    assert gc(here, days=30) == []
    assert len(here.environments) == 2


def test_wheels_of_inactive_packages_stay(here, make_wheel) -> None:
    package = here.collect(make_wheel()).package
    act(here, "deactivate", package)
    make_old(*here.settings.wheels_folder.glob("[!.]*"))

    assert [garbage.kind for garbage in gc(here)] == []

    assert act(here, "reactivate", package).active


def test_environment_that_is_being_built_is_not_removed(here, make_wheel) -> None:
    first = here.collect(make_wheel())
    here.collect(make_wheel(files=FILES))

    with alone(Path(first.environment.path), waiting=lambda: None):
        assert gc(here) == []
    assert first.environment.id in here.environments


def test_environment_of_a_run_is_not_removed(here, make_wheel) -> None:
    """Its package was collected anew meanwhile, and is in another environment now."""
    first = here.collect(make_wheel())
    with here.ledger.writing() as tx:
        tasks = {task.task.ref: task for task in packages.list_tasks(tx)}
        dataset = Dataset(name="data", zarr_dir="/data", items=(Item(zarr_url="/data/one"),))
        number = datasets.create_dataset(tx, dataset)
        (ref,) = tasks
        plan = make_plan(Workflow(name="w", steps=(Step(name="s", task=ref),)), dataset, tasks)
        runs.create_run(tx, plan, None, number, dataset)
    here.collect(make_wheel(files=FILES))

    assert gc(here) == []
    assert first.environment.id in here.environments


def test_bytecode_that_nothing_links_is_removed_once_it_is_old(
    here, make_wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = here.collect(make_wheel()).package
    act(here, "delete", package)
    shutil.rmtree(here.settings.wheels_folder)
    assert [garbage.kind for garbage in gc(here)] == []
    later = time.time() + 86_400

    monkeypatch.setattr(time, "time", lambda: later)
    removed = gc(here)

    assert [garbage.kind for garbage in removed] == ["bytecode"]
    assert not [path for path in here.settings.bytecode_folder.rglob("*") if path.is_file()]


def test_what_somebody_else_looks_after_is_left_alone(here) -> None:
    from treadle.collect.functions import register_functions
    from treadle.model.task import Task, TaskPart, TaskType

    task = Task(
        package="own",
        version="1",
        name="abs",
        type=TaskType.PARALLEL,
        parallel=TaskPart(function="builtins:abs"),
    )
    record = register_functions(here.ledger, package="own", version="1", tasks=[task])

    heal(here.settings, here.ledger)
    assert gc(here) == []
    assert state(here, record.environment_id) == "ready"
    with pytest.raises(UsageError, match="not built by Treadle"):
        act(here, "repair", record)
    act(here, "deactivate", record)
    assert Path(sys.prefix).is_dir()
    assert act(here, "reactivate", record).active


def test_what_was_derived_from_an_editable_package_goes_after_its_environment(here, make_wheel) -> None:
    kept = here.collect(make_wheel()).environment.id
    for name in (kept, "gone"):
        folder = here.settings.editable_folder / name
        folder.mkdir(parents=True)
        os.utime(folder, (1_000_000_000, 1_000_000_000))

    removed = gc(here)

    assert [(garbage.kind, garbage.name) for garbage in removed] == [("editable", "gone")]
    assert [path.name for path in here.settings.editable_folder.iterdir()] == [kept]

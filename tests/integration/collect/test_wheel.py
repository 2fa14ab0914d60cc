from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from treadle.errors import BuildFailed, ManifestInvalid, ResolutionFailed, SourceInvalid, StorageFull
from treadle.ledger.packages import find_task, list_environments, list_packages
from treadle.model.task import Part, TaskRef

pytestmark = pytest.mark.integration


def test_tasks_of_a_wheel_run_from_the_environment_that_was_renamed_into_place(here, make_wheel) -> None:
    collected = here.collect(make_wheel())

    with here.ledger.reading() as tx:
        task = find_task(tx, TaskRef(pkg_name="tiny-tasks", version="1.0", name="Measure"))
    assert task is not None
    answer = subprocess.run(task.command(Part.PARALLEL), capture_output=True, text=True, check=True, cwd="/")
    assert answer.stdout == "hello from tiny\n"
    assert collected.new
    assert [task.name for task in collected.tasks] == ["Measure"]
    assert collected.package.origin == "wheel"
    assert here.environments == [collected.environment.id]
    assert here.phases == ["resolving", "building the environment", "reading the manifest"]


def test_lock_and_freeze_are_kept_beside_the_environment(here, make_wheel) -> None:
    environment = here.collect(make_wheel()).environment

    folder = Path(environment.path)
    assert "--hash=sha256:" in (folder / "treadle-lock.txt").read_text()
    assert "tiny-tasks @ file://" in (folder / "treadle-freeze.txt").read_text()
    assert environment.build_seconds > 0
    assert environment.size_bytes >= (folder / "treadle-lock.txt").stat().st_size
    assert (
        environment.python_version
        in subprocess.run(
            [folder / "bin" / "python", "-VV"], capture_output=True, text=True, check=True
        ).stdout
    )


def test_lock_in_the_ledger_names_no_place_of_this_machine(here, make_wheel) -> None:
    lock = here.collect(make_wheel()).environment.lock

    assert "tiny-tasks @ file://${TREADLE_WHEELS}/" in lock
    assert str(here.settings.home) not in lock
    assert "my%20home" not in lock


def test_bytecode_is_compiled(here, make_wheel) -> None:
    environment = here.collect(make_wheel()).environment

    assert list(Path(environment.path).rglob("tiny/__pycache__/__init__.*.pyc"))


def test_second_collection_does_nothing_in_under_a_second(here, make_wheel) -> None:
    wheel = make_wheel()
    first = here.collect(wheel)
    second = here.collect(wheel)

    assert not second.new
    assert second.seconds < 1
    assert here.phases == ["resolving"]
    assert (second.package, second.environment, second.tasks) == (
        first.package,
        first.environment,
        first.tasks,
    )


def test_collected_wheel_outlives_the_file_it_came_from(here, make_wheel) -> None:
    wheel = make_wheel()
    environment = here.collect(wheel).environment
    wheel.unlink()

    freeze = (Path(environment.path) / "treadle-freeze.txt").read_text()
    kept = list(here.settings.wheels_folder.glob("*/tiny_tasks-1.0-py3-none-any.whl"))
    assert len(kept) == 1
    assert kept[0].parent.name in freeze


def test_same_wheel_gets_the_same_environment_id_in_another_home(here, make_wheel, tmp_path: Path) -> None:
    wheel = make_wheel()
    before = here.preview(wheel).environment_id
    elsewhere = type(here)(here.settings.model_copy(update={"home": tmp_path / "elsewhere"}), here.ledger)

    assert elsewhere.preview(wheel).environment_id == before


def test_preview_tells_what_would_be_installed_and_does_not_install_it(here, make_wheel) -> None:
    wheel = make_wheel()

    before = here.preview(wheel)
    assert (before.name, before.version, before.packages) == ("tiny-tasks", "1.0", ("tiny-tasks==1.0",))
    assert "--hash=sha256:" in before.lock
    assert not before.ready
    assert here.environments == here.registered == []

    assert here.collect(wheel).environment.id == before.environment_id
    assert here.preview(wheel).ready


def test_wheel_that_was_built_again_under_its_version_replaces_the_first(here, make_wheel) -> None:
    first = here.collect(make_wheel())
    changed = make_wheel(files={**_files(first), "tiny/new.py": "NEW = 1\n"})

    second = here.collect(changed)

    assert second.new
    assert second.package.id == first.package.id
    assert second.environment.id != first.environment.id
    assert here.environments == sorted([first.environment.id, second.environment.id])


def _files(collected) -> dict[str, str]:
    root = Path(collected.package.root)
    names = ["__init__.py", "tasks/measure.py", "__FRACTAL_MANIFEST__.json"]
    return {f"tiny/{name}": (root / name).read_text() for name in names}


def test_wheel_under_a_wrong_name_is_refused_and_the_right_one_is_still_accepted(here, make_wheel) -> None:
    wheel = make_wheel()
    wrong = wheel.with_name("other_tasks-1.0-py3-none-any.whl")
    shutil.copyfile(wheel, wrong)

    with pytest.raises(ResolutionFailed) as caught:
        here.collect(wrong)

    assert "tiny" in caught.value.detail
    assert here.collect(wheel).package.name == "tiny-tasks"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"tiny/__init__.py": ""}, "tiny-tasks is not a task package"),
        ({"tiny/__FRACTAL_MANIFEST__.json": "{"}, "manifest of tiny-tasks"),
        ({"tiny/__FRACTAL_MANIFEST__.json": json.dumps({"manifest_version": "1", "task_list": []})}, "1"),
        (
            {
                "tiny/__FRACTAL_MANIFEST__.json": json.dumps(
                    {"manifest_version": "2", "task_list": [{"name": "A", "executable_parallel": "gone.py"}]}
                )
            },
            r"gone\.py",
        ),
    ],
    ids=["missing", "malformed", "version 1", "no executable"],
)
def test_package_with_a_bad_manifest_leaves_nothing_behind(here, make_wheel, files, said: str) -> None:
    with pytest.raises(ManifestInvalid, match=said) as caught:
        here.collect(make_wheel(files=files))

    assert "tiny-tasks" in str(caught.value)
    assert here.environments == here.registered == []


def test_environment_whose_interpreter_vanished_is_built_again(here, make_wheel) -> None:
    wheel = make_wheel()
    environment = here.collect(wheel).environment
    python = Path(environment.path) / "bin" / "python"
    python.parent.chmod(0o755)
    python.unlink()
    python.symlink_to("/no/such/python")

    assert not here.preview(wheel).ready
    assert here.collect(wheel).new
    assert subprocess.run([python, "-c", "import tiny"], check=True).returncode == 0


def test_environment_that_the_ledger_does_not_know_is_registered_without_a_build(here, make_wheel) -> None:
    """A process may die between the environment's renaming and the ledger's commit."""
    wheel = make_wheel()
    first = here.collect(wheel)
    ledger_file = here.settings.home / "ledger.sqlite"
    other = type(here.ledger)(f"sqlite:///{ledger_file}.other")
    try:
        again = type(here)(here.settings, other)
        second = again.collect(wheel)
    finally:
        other.close()

    assert second.new
    assert "building the environment" not in again.phases
    assert second.environment.id == first.environment.id
    assert second.environment.build_seconds == first.environment.build_seconds


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone-1.0-py3-none-any.whl", None, "There is no file"),
        ("tiny.whl", b"PK", "not named as a wheel is"),
        ("tiny-1.0-py3-none-any.whl", b"no archive", "not a zip archive"),
    ],
)
def test_file_that_is_no_wheel_is_refused(
    here, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)

    with pytest.raises(SourceInvalid, match=said):
        here.collect(tmp_path / name)


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="needs a file system that nobody may write: /sys"
)
def test_place_that_may_not_be_written_is_named(here, make_wheel) -> None:
    here.settings.environments_folder.symlink_to("/sys/kernel")

    with pytest.raises(StorageFull, match=r"my home/environments.* could not be written"):
        here.collect(make_wheel())

    assert here.registered == []


def test_place_that_is_a_file_is_named(here, make_wheel) -> None:
    here.settings.environments_folder.write_text("")

    with pytest.raises(BuildFailed, match=r"my home/environments.* could not be used"):
        here.collect(make_wheel())


COLLECT = """
import sys
from pathlib import Path
from treadle.collect import Progress, collection, contents
from treadle.ledger import Ledger, sqlite_url
from treadle.settings import Settings

home, wheel, last_words = sys.argv[1:]
if last_words == "killed":
    import os
    contents.read_package = lambda *given, **named: os.kill(os.getpid(), 9)
with Ledger(sqlite_url(Path(home) / "ledger.sqlite")) as ledger:
    done = collection.collect(wheel, settings=Settings(home=home), ledger=ledger, progress=Progress(print))
print(done.environment.id)
"""


def start(here, wheel: Path, last_words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COLLECT, str(here.settings.home), str(wheel), last_words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )


def test_processes_that_collect_the_same_at_once_build_it_once(here, make_wheel) -> None:
    wheel = make_wheel()
    processes = [start(here, wheel, "done") for _ in range(3)]
    outputs = [process.communicate(timeout=120)[0].splitlines() for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(lines.count("building the environment") for lines in outputs) == 1
    assert {lines[-1] for lines in outputs} == set(here.environments)
    assert len(here.registered) == 2


def test_build_that_was_killed_leaves_nothing_that_counts_and_is_cleaned_up_by_the_next(
    here, make_wheel
) -> None:
    wheel = make_wheel()
    with start(here, wheel, "killed") as process:
        output, _ = process.communicate(timeout=120)

    assert process.returncode == -9
    assert "building the environment" in output
    (half,) = here.environments
    assert half.endswith(".building")
    with here.ledger.reading() as tx:
        assert [record.state for record in list_environments(tx)] == ["building"]
        assert list_packages(tx) == []

    collected = here.collect(wheel)

    assert here.environments == [collected.environment.id]
    assert here.registered == ["tiny-tasks 1.0", collected.environment.id]

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from treadle.collect.manifests.installed import MANIFEST, TaskPackage, read_package
from treadle.errors import ManifestInvalid, SourceInvalid
from treadle.model.task import TaskType

TASK = {"name": "Measure", "executable_parallel": "tasks/measure.py"}
SITE = Path("lib/python3.11/site-packages")


def manifest(*tasks: Mapping[str, object], version: str = "2") -> str:
    return json.dumps({"manifest_version": version, "task_list": tasks})


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    return tmp_path / "environment"


def install(environment: Path, files: Mapping[str, str], extras: tuple[str, ...] = ()) -> None:
    """Lay out an installed distribution `tiny-tasks` as an installer does."""
    site = environment / SITE
    info = "tiny_tasks-1.0.dist-info"
    metadata = "Metadata-Version: 2.1\nName: Tiny_Tasks\nVersion: 1.0\n"
    metadata += "".join(f"Provides-Extra: {extra}\n" for extra in extras)
    contents = {**files, f"{info}/METADATA": metadata}
    record = "".join(f"{name},,\n" for name in [*contents, f"{info}/RECORD"])
    for name, content in {**contents, f"{info}/RECORD": record}.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def read(environment: Path, extras: tuple[str, ...] = ()) -> TaskPackage:
    derived = environment / SITE / "treadle-tasks"
    return read_package(environment, name="tiny-tasks", version="1.0", extras=extras, derived=derived)


def test_tasks_and_root_come_from_the_folder_of_the_manifest(environment: Path) -> None:
    """The import name differs from the distribution's, which has no influence."""
    install(environment, {f"other/name/{MANIFEST}": manifest(TASK), "other/name/tasks/measure.py": ""})

    package = read(environment)

    assert package.root == SITE / "other" / "name"
    (task,) = package.tasks
    assert (task.package, task.version, task.name) == ("tiny-tasks", "1.0", "Measure")
    assert task.type is TaskType.PARALLEL


def test_manifest_of_another_distribution_is_not_ours(environment: Path) -> None:
    install(environment, {"tiny/__init__.py": ""})
    other = environment / SITE / "other"
    other.mkdir()
    (other / MANIFEST).write_text(manifest(TASK))

    with pytest.raises(ManifestInvalid, match=f"tiny-tasks is not a task package.*{MANIFEST}"):
        read(environment)


def test_two_manifests_are_refused_with_their_places(environment: Path) -> None:
    install(environment, {f"a/{MANIFEST}": manifest(TASK), f"b/{MANIFEST}": manifest(TASK)})

    with pytest.raises(ManifestInvalid, match=f"tiny-tasks ships 2 manifests.*a/{MANIFEST}.*b/{MANIFEST}"):
        read(environment)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "tiny-tasks"),
        ("[]", "tiny-tasks"),
        (manifest(TASK, version="1"), "1"),
        (manifest(TASK, TASK), "Measure"),
        (manifest({"name": "Nothing"}), "executable"),
    ],
    ids=["malformed", "no object", "version 1", "duplicate names", "no executable"],
)
def test_bad_manifest_is_refused_and_names_package_and_problem(
    environment: Path, text: str, said: str
) -> None:
    install(environment, {f"tiny/{MANIFEST}": text, "tiny/tasks/measure.py": ""})

    with pytest.raises(ManifestInvalid, match=said) as caught:
        read(environment)

    assert "tiny-tasks" in str(caught.value)


def test_manifest_that_is_no_text_is_refused(environment: Path) -> None:
    install(environment, {f"tiny/{MANIFEST}": ""})
    (environment / SITE / "tiny" / MANIFEST).write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ManifestInvalid, match="manifest of tiny-tasks cannot be read"):
        read(environment)


def test_all_executables_that_do_not_exist_are_named(environment: Path) -> None:
    tasks = [
        TASK,
        {"name": "Gone", "executable_parallel": "tasks/gone.py"},
        {"name": "Folder", "executable_non_parallel": "tasks"},
    ]
    install(environment, {f"tiny/{MANIFEST}": manifest(*tasks), "tiny/tasks/measure.py": ""})

    with pytest.raises(ManifestInvalid, match=r"not among its files: tasks/gone\.py, tasks\.") as caught:
        read(environment)

    assert "measure" not in str(caught.value)


def test_executable_outside_the_environment_is_refused(environment: Path) -> None:
    outside = environment.parent / "outside.py"
    outside.write_text("")
    climbing = "../" * 5 + "outside.py"
    install(environment, {f"tiny/{MANIFEST}": manifest({"name": "Out", "executable_parallel": climbing})})
    assert (environment / SITE / "tiny" / climbing).is_file()

    with pytest.raises(ManifestInvalid, match=r"outside\.py"):
        read(environment)


def test_extra_that_the_package_lacks_is_refused_with_those_it_has(environment: Path) -> None:
    install(
        environment,
        {f"tiny/{MANIFEST}": manifest(TASK), "tiny/tasks/measure.py": ""},
        extras=("Deep_Learning",),
    )

    assert read(environment, ("deep-learning",)).tasks
    with pytest.raises(SourceInvalid, match=r"tiny-tasks 1\.0 has no extra gpu\. It has: deep-learning\."):
        read(environment, ("deep-learning", "gpu"))


def test_manifest_of_an_editable_package_is_in_its_project(environment: Path, tmp_path: Path) -> None:
    install(environment, {"_tiny.pth": str(tmp_path / "project" / "src")})
    package = tmp_path / "project" / "src" / "tiny"
    for folder in (package / "tasks", tmp_path / "project" / "build" / "tiny"):
        folder.mkdir(parents=True)
        (folder / "measure.py").write_text("")
    (package / MANIFEST).write_text(manifest(TASK))
    (tmp_path / "project" / "build" / MANIFEST).write_text("what a build left behind")

    found = read_package(
        environment, name="tiny-tasks", version="1.0", extras=(), editable=tmp_path / "project"
    )

    assert (found.root, [task.name for task in found.tasks]) == (package, ["Measure"])
    with pytest.raises(ManifestInvalid, match="is not a task package"):
        read(environment)


def test_package_that_may_have_no_tasks_has_none(environment: Path) -> None:
    install(environment, {"tiny/__init__.py": ""})

    found = read_package(environment, name="tiny-tasks", version="1.0", extras=(), may_have_none=True)

    assert found.tasks == ()


def test_derived_manifest_is_that_of_the_distribution_it_was_made_from(environment: Path) -> None:
    install(environment, {"tiny/__init__.py": ""})
    folder = environment / SITE / "treadle-tasks"
    folder.mkdir()
    (folder / "tiny--measure.py").write_text("")
    described = json.loads(manifest({**TASK, "executable_parallel": "tiny--measure.py"}))

    def derived_from(name: str) -> None:
        text = json.dumps({**described, "treadle_derived": {"distribution": name, "version": "1.0"}})
        (folder / MANIFEST).write_text(text)

    derived_from("another")
    with pytest.raises(ManifestInvalid, match="is not a task package"):
        read(environment)
    derived_from("tiny-tasks")
    package = read(environment)
    assert (package.root, package.derived) == (SITE / "treadle-tasks", True)
    assert [task.name for task in package.tasks] == ["Measure"]

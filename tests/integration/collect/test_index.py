from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from treadle.collect.environments.removal import remove_tree
from treadle.errors import AlreadyExists, BuildFailed, ManifestInvalid, ResolutionFailed, SourceInvalid

pytestmark = pytest.mark.integration


@pytest.fixture
def library(make_wheel):
    """Make a wheel of a plain library, in a version."""
    return lambda version: make_wheel("tiny-library", version, files={"tiny_library.py": ""})


def test_package_is_collected_with_its_dependencies(here, index, make_wheel, library) -> None:
    index.add(library("1.0"), make_wheel(requires=["tiny-library>=1"]))

    collected = here.collect("Tiny_Tasks==1.0")

    assert (collected.package.origin, collected.package.source) == ("index", "tiny-tasks==1.0")
    assert "tiny-library==1.0" in collected.environment.lock
    assert (Path(collected.package.root).parent / "tiny_library.py").is_file()


@pytest.mark.parametrize("text", ["tiny-tasks", "tiny-tasks>=1", "tiny-tasks<3"])
def test_without_a_version_the_newest_that_fits_is_collected_and_no_pre_release(
    here, index, make_wheel, text: str
) -> None:
    index.add(make_wheel(version="1.9"), make_wheel(version="1.10"), make_wheel(version="2.0rc1"))

    assert here.collect(text).package.version == "1.10"


def test_second_collection_does_nothing_in_under_a_second(here, index, make_wheel, library) -> None:
    index.add(library("1.0"), make_wheel(requires=["tiny-library>=1"]))
    here.collect("tiny-tasks==1.0")

    second = here.collect("tiny-tasks==1.0")

    assert not second.new
    assert second.seconds < 1


def test_known_version_needs_no_index(here, index, make_wheel) -> None:
    index.add(make_wheel())
    here.collect("tiny-tasks==1.0")
    index.stop()

    assert not here.collect("tiny-tasks==1.0").new


@pytest.mark.parametrize("text", ["tiny-tasks==1.0", "tiny-tasks==1", "tiny-tasks"])
def test_newer_release_of_a_dependency_does_not_change_a_known_version(
    here, index, make_wheel, library, text: str
) -> None:
    index.add(library("1.0"), make_wheel(requires=["tiny-library>=1"]))
    first = here.collect("tiny-tasks==1.0")
    index.add(library("1.1"))

    second = here.collect(text)

    assert not second.new
    assert second.environment.id == first.environment.id
    assert here.preview(text).environment_id == first.environment.id


def test_new_version_gets_the_newest_dependencies(here, index, make_wheel, library) -> None:
    index.add(library("1.0"), make_wheel(requires=["tiny-library>=1"]))
    here.collect("tiny-tasks")
    index.add(library("1.1"), make_wheel(version="1.1", requires=["tiny-library>=1"]))

    second = here.collect("tiny-tasks")

    assert second.package.version == "1.1"
    assert "tiny-library==1.1" in second.environment.lock
    assert here.registered[:2] == ["tiny-tasks 1.0", "tiny-tasks 1.1"]


def test_release_that_was_published_a_second_ago_is_found(here, index, make_wheel) -> None:
    """The index lets its answers be kept for ten minutes, as the public one does."""
    index.max_age = 600
    index.add(make_wheel())
    here.preview("tiny-tasks")
    index.add(make_wheel(version="1.1"))

    assert here.preview("tiny-tasks").version == "1.1"
    assert here.preview("tiny-tasks==1.1").version == "1.1"


def test_extra_brings_its_packages(here, index, make_wheel, library) -> None:
    index.add(library("1.0"), make_wheel(extras={"more": "tiny-library"}))

    assert here.preview("tiny-tasks==1.0").packages == ("tiny-tasks==1.0",)
    assert "tiny-library==1.0" in here.collect("tiny-tasks[more]==1.0").environment.lock


def test_extra_that_does_not_exist_is_refused_and_leaves_nothing(here, index, make_wheel) -> None:
    index.add(make_wheel())

    with pytest.raises(SourceInvalid, match=r"tiny-tasks 1\.0 has no extra more"):
        here.collect("tiny-tasks[more]==1.0")

    assert here.environments == here.registered == []


def test_known_version_with_other_packages_is_refused_before_anything_is_built(
    here, index, make_wheel, library
) -> None:
    index.add(library("1.0"), make_wheel(extras={"more": "tiny-library"}))
    first = here.collect("tiny-tasks==1.0")

    with pytest.raises(AlreadyExists, match=r"tiny-tasks 1\.0 is already collected"):
        here.collect("tiny-tasks[more]==1.0")

    assert "building the environment" not in here.phases
    assert here.environments == [first.environment.id]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no-such-tasks==1.0", "no-such-tasks was not found in the package registry"),
        ("tiny-tasks==7.0", "there is no version of tiny-tasks==7.0"),
        ("tiny-tasks==1.0", "tiny-library"),
    ],
    ids=["package", "version", "dependency"],
)
def test_what_does_not_resolve_is_explained_in_the_resolvers_words(
    here, index, make_wheel, text: str, said: str
) -> None:
    index.add(make_wheel(requires=["tiny-library>=9"]))

    with pytest.raises(ResolutionFailed, match=f"No set of packages satisfies {text}") as caught:
        here.collect(text)

    assert said in caught.value.detail
    assert here.environments == here.registered == []


def test_package_that_would_have_to_be_built_from_source_is_refused(here, index, tmp_path: Path) -> None:
    """Setup code of a stranger never runs."""
    setup = f"open({str(tmp_path / 'ran')!r}, 'w').close()\n".encode()
    facts = b"Metadata-Version: 2.1\nName: only-source\nVersion: 1.0\n"
    archive = tmp_path / "only_source-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in {"setup.py": setup, "PKG-INFO": facts}.items():
            member = tarfile.TarInfo(f"only_source-1.0/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    index.add(archive)

    with pytest.raises(ResolutionFailed) as caught:
        here.collect("only-source==1.0")

    assert "only-source" in caught.value.detail
    assert not (tmp_path / "ran").exists()


def test_index_that_does_not_answer_is_a_clear_error_without_its_credentials(
    here, index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url.replace("http://", "http://somebody:hunter2@"))
    index.stop()

    with pytest.raises(
        ResolutionFailed, match=r"index could not be asked for what tiny-tasks==1\.0 needs"
    ) as caught:
        here.collect("tiny-tasks==1.0")

    assert "127.0.0.1" in caught.value.detail
    assert "hunter2" not in caught.value.detail
    assert "somebody" not in caught.value.detail


def test_credentials_of_the_index_are_stored_nowhere(
    here, index, make_wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(make_wheel())
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url.replace("http://", "http://somebody:hunter2@"))

    collected = here.collect("tiny-tasks==1.0")

    assert collected.new
    for path in here.settings.home.rglob("*"):
        if path.is_file():
            assert b"hunter2" not in path.read_bytes(), path


@pytest.mark.usefixtures("index")
def test_offline_with_an_empty_cache_is_a_clear_error(here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")

    with pytest.raises(ResolutionFailed, match="index could not be asked") as caught:
        here.collect("tiny-tasks==1.0")

    assert "network was disabled" in caught.value.detail


def test_offline_with_a_warm_cache_is_enough(
    here, index, make_wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.add(make_wheel())
    here.collect("tiny-tasks==1.0")
    monkeypatch.setenv("UV_OFFLINE", "1")

    assert here.preview("tiny-tasks").version == "1.0"


def test_archive_that_does_not_fit_its_hash_is_not_installed(
    here, index, make_wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is known, environment and cache are gone, and the index has something else under the name."""
    index.add(make_wheel("tiny-library", files={}), make_wheel(requires=["tiny-library"]))
    remove_tree(Path(here.collect("tiny-tasks==1.0").environment.path))
    index.add(make_wheel("tiny-library", files={"tiny_library.py": "OTHER = True\n"}))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "another cache"))

    with pytest.raises(BuildFailed, match="environment could not be built") as caught:
        here.collect("tiny-tasks==1.0")

    assert "Hash mismatch" in caught.value.detail
    assert here.environments == []


def test_public_package_without_a_manifest_leaves_nothing_behind(here) -> None:
    with pytest.raises(ManifestInvalid, match=r"idna is not a task package.*__FRACTAL_MANIFEST__\.json"):
        here.collect("idna==3.10")

    assert here.environments == here.registered == []


def test_public_task_package_is_collected_as_its_authors_made_it(here) -> None:
    collected = here.collect("fractal-tasks-core==2.1.0")
    try:
        again = here.collect("fractal-tasks-core==2.1.0")
        tasks = {task.name: task for task in collected.tasks}
        assert tasks["Project Image (HCS Plate)"].type == "compound"
        root = Path(collected.package.root)
        for task in tasks.values():
            for part in task.type.parts:
                assert (root / task.part(part).executable).is_file()
                assert task.part(part).args_schema
        assert not again.new
        assert again.seconds < 1
    finally:
        remove_tree(Path(collected.environment.path))

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from filelock import FileLock

from treadle.collect.environments.staging import build_once
from treadle.errors import BuildFailed, StorageFull


def ready(folder: Path) -> bool:
    return (folder / "done").is_file()


def build(aside: Path) -> None:
    aside.mkdir()
    (aside / "done").write_text("done")


def must_not_build(aside: Path) -> None:
    raise AssertionError(f"built again at {aside}")


def must_not_wait() -> None:
    raise AssertionError("waited for nobody")


def test_folder_is_built_once_and_nothing_stays_beside_it(tmp_path: Path) -> None:
    final = tmp_path / "places" / "abc"

    assert build_once(final, is_ready=ready, build=build, waiting=must_not_wait)
    assert not build_once(final, is_ready=ready, build=must_not_build, waiting=must_not_wait)
    assert [path.name for path in (tmp_path / "places").glob("[!.]*")] == ["abc"]


def test_folder_is_not_in_its_place_while_it_is_built(tmp_path: Path) -> None:
    final = tmp_path / "abc"

    def look(aside: Path) -> None:
        build(aside)
        assert aside.parent == tmp_path
        assert aside.name.endswith(".building")
        assert not final.exists()

    build_once(final, is_ready=ready, build=look, waiting=must_not_wait)

    assert ready(final)


@pytest.mark.parametrize("error", [BuildFailed("no"), KeyboardInterrupt()])
def test_failed_build_leaves_nothing_and_can_be_tried_again(tmp_path: Path, error: BaseException) -> None:
    final = tmp_path / "abc"

    def fail(aside: Path) -> None:
        build(aside)
        raise error

    with pytest.raises(type(error)):
        build_once(final, is_ready=ready, build=fail, waiting=must_not_wait)

    assert list(tmp_path.glob("[!.]*")) == []
    assert build_once(final, is_ready=ready, build=build, waiting=must_not_wait)


def test_next_build_removes_what_dead_builders_left(tmp_path: Path) -> None:
    for name in ("abc.1.building", "other.2.building"):
        (tmp_path / name / "deep").mkdir(parents=True)

    build_once(tmp_path / "abc", is_ready=ready, build=build, waiting=must_not_wait)

    assert [path.name for path in tmp_path.glob("[!.]*")] == ["abc"]


def test_what_an_orphan_of_a_dead_builder_writes_during_the_build_is_removed_after_it(tmp_path: Path) -> None:
    def build_beside_an_orphan(aside: Path) -> None:
        (tmp_path / "abc.1.building" / "late").mkdir(parents=True)
        build(aside)

    build_once(tmp_path / "abc", is_ready=ready, build=build_beside_an_orphan, waiting=must_not_wait)

    assert [path.name for path in tmp_path.glob("[!.]*")] == ["abc"]


def test_folder_of_a_living_builder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other.2.building").mkdir()
    (tmp_path / ".locks").mkdir()

    with FileLock(tmp_path / ".locks" / "other.lock"):
        build_once(tmp_path / "abc", is_ready=ready, build=build, waiting=must_not_wait)

    assert (tmp_path / "other.2.building").is_dir()


def test_second_builder_waits_and_finds_the_folder_ready(tmp_path: Path) -> None:
    final = tmp_path / "abc"
    building, waiting = threading.Event(), threading.Event()

    def build_slowly(aside: Path) -> None:
        building.set()
        assert waiting.wait(30)
        build(aside)

    first = threading.Thread(
        target=build_once,
        args=(final,),
        kwargs={"is_ready": ready, "build": build_slowly, "waiting": must_not_wait},
    )
    first.start()
    assert building.wait(30)
    built = build_once(final, is_ready=ready, build=must_not_build, waiting=waiting.set)
    first.join(30)

    assert not built
    assert waiting.is_set()
    assert ready(final)


def test_folder_that_became_unusable_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "abc").mkdir()
    (tmp_path / "abc" / "broken").write_text("")

    build_once(tmp_path / "abc", is_ready=ready, build=build, waiting=must_not_wait)

    assert [path.name for path in (tmp_path / "abc").iterdir()] == ["done"]


def test_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises((BuildFailed, StorageFull), match=str(tmp_path / "file")):
        build_once(tmp_path / "file" / "abc", is_ready=ready, build=build, waiting=must_not_wait)

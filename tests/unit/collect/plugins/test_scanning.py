"""What a scan of folders puts on record, and how a later one changes it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.collect import Progress
from treadle.collect.plugins import reading, walk
from treadle.collect.plugins.description import Description
from treadle.collect.plugins.scanning import ScanReport, scan
from treadle.ledger import Ledger, sqlite_url
from treadle.ledger.packages import add_environment, add_package
from treadle.ledger.plugins import change_plugin, list_plugins
from treadle.settings import Settings

Scan = Callable[..., ScanReport]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    (tmp_path / "home").mkdir()
    with Ledger(sqlite_url(tmp_path / "home" / "ledger.sqlite")) as ledger:
        yield ledger


@pytest.fixture
def scan_here(ledger: Ledger, tmp_path: Path) -> Scan:
    def run(*folders: Path, **settings: Any) -> ScanReport:
        named = Settings(home=tmp_path / "home", plugin_folders=folders, **settings)
        return scan(named, ledger, Progress(lambda _: None))

    return run


def plugin(name: str = "p", version: str = "1") -> str:
    return (
        "from qhana_plugin_runner.util.plugins import QHAnaPluginBase\n"
        f"class P(QHAnaPluginBase):\n    name = {name!r}\n    version = {version!r}\n"
    )


def states(report: ScanReport) -> dict[str, str]:
    return {Path(found.location).name: found.state for found in report.plugins}


def test_each_entry_is_on_record_with_its_state_and_a_broken_one_disturbs_nothing(
    write: Any, scan_here: Scan
) -> None:
    folder = write(
        {
            "good.py": plugin("good", "v1.2"),
            "package/__init__.py": plugin("package", "0.1"),
            "broken.py": "def\n",
            "empty.py": "",
            "script.py": "# /// script\n# dependencies = []\n# ///\n",
            "project/pyproject.toml": "[project]\nname = 'tasks'\nversion = '1'\n",
        }
    )
    report = scan_here(folder)
    assert states(report) == {
        "broken.py": "broken",
        "empty.py": "broken",
        "good.py": "found",
        "package": "found",
        "project": "found",
        "script.py": "found",
    }
    found = {Path(entry.location).name: entry for entry in report.plugins}
    assert found["good.py"].identifier == "good@v1-2"
    assert found["good.py"].location == str(folder / "good.py")
    assert found["good.py"].origin == str(folder)
    assert found["good.py"].problem is None
    assert "broken.py, line 1" in (found["broken.py"].problem or "")
    assert "no plugin" in (found["empty.py"].problem or "")
    assert {name: entry.kind for name, entry in found.items()}["script.py"] == "script"
    assert report.failed
    assert report.problems == ()


def test_rescan_keeps_ids_and_does_not_read_again_what_did_not_change(
    write: Any, scan_here: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.py": plugin("a"), "b.py": plugin("b")})
    first = {entry.location: entry.id for entry in scan_here(folder).plugins}
    read_again: list[str] = []

    def note(path: Path) -> reading.Reading:
        read_again.append(path.name)
        return reading.read(path)

    monkeypatch.setattr("treadle.collect.plugins.scanning.read", note)
    write({"b.py": plugin("b", "2")})
    second = scan_here(folder)
    assert read_again == ["b.py"]
    assert {entry.location: entry.id for entry in second.plugins} == first
    assert [entry.version for entry in second.plugins] == ["1", "2"]


def test_what_is_no_longer_there_is_gone_and_comes_back_under_its_id(
    write: Any, scan_here: Scan, ledger: Ledger
) -> None:
    folder = write({"a.py": plugin("a"), "b.py": plugin("b")})
    before = scan_here(folder)
    (folder / "b.py").unlink()
    assert states(scan_here(folder)) == {"a.py": "found"}
    with ledger.reading() as tx:
        assert [entry.state for entry in list_plugins(tx)] == ["found", "gone"]
    write({"b.py": plugin("b")})
    assert [entry.id for entry in scan_here(folder).plugins] == [entry.id for entry in before.plugins]


def test_two_versions_are_side_by_side_and_the_same_twice_is_an_error_on_both(
    write: Any, scan_here: Scan
) -> None:
    folder = write(
        {
            "one.py": plugin("p", "1.0"),
            "two.py": plugin("p", "v2.0"),
            "again/__init__.py": plugin("p", "2.0"),
            "other.py": plugin("q", "2.0"),
        }
    )
    report = scan_here(folder)
    assert states(report) == {"again": "broken", "one.py": "found", "other.py": "found", "two.py": "broken"}
    for entry in report.plugins:
        if entry.state == "broken":
            assert str(folder / "again") in (entry.problem or "")
            assert str(folder / "two.py") in (entry.problem or "")
    shutil.rmtree(folder / "again")
    assert states(scan_here(folder)) == {"one.py": "found", "other.py": "found", "two.py": "found"}


def test_missing_folder_and_bad_line_are_told_and_hinder_nothing(write: Any, scan_here: Scan) -> None:
    folder = write({"a.py": plugin("a")})
    report = scan_here(folder.parent / "absent", folder, folder)
    assert states(report) == {"a.py": "found"}
    [missing] = report.problems
    assert str(folder.parent / "absent") in missing.problem.what
    assert not report.failed
    report = scan_here(folder, git_plugins=("", "git+nonsense"))
    assert "Line 2 of git_plugins, git+nonsense" in report.problems[0].problem.what
    assert states(report) == {"a.py": "found"}
    assert report.failed


def test_installation_that_ends_during_a_scan_is_not_forgotten(
    write: Any, scan_here: Scan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"a.py": plugin("a")})
    [found] = scan_here(folder).plugins
    with ledger.writing() as tx:
        environment = add_environment(
            tx,
            environment_id="e",
            lock="",
            python="/usr/bin/python3",
            python_version="3.11.2",
            path="/e",
            build_seconds=0,
            size_bytes=0,
        )
        package = add_package(
            tx,
            name="plugin-a",
            version="1",
            origin="plugin",
            source=found.location,
            environment_id=environment.id,
            root="/e",
            tasks=[],
        )
    candidates = walk.candidates

    def install_meanwhile(place: Path) -> list[Path]:
        done = Description.of(found).model_copy(update={"installed": found.digest})
        with ledger.writing() as tx:
            change_plugin(
                tx,
                found,
                state="ready",
                problem=None,
                description=done.model_dump(mode="json"),
                package_id=package.id,
            )
        return candidates(place)

    monkeypatch.setattr("treadle.collect.plugins.scanning.candidates", install_meanwhile)
    assert states(scan_here(folder)) == {"a.py": "ready"}
    monkeypatch.undo()
    assert states(scan_here(folder)) == {"a.py": "ready"}
    write({"a.py": plugin("a") + "# changed\n"})
    assert states(scan_here(folder)) == {"a.py": "found"}
    write({"a.py": plugin("a")})
    assert states(scan_here(folder)) == {"a.py": "ready"}


def test_folder_that_is_a_project_is_one_unless_it_holds_a_plugin(write: Any, scan_here: Scan) -> None:
    project = "[project]\nname = 'tasks'\nversion = '1'\n"
    folder = write({"pyproject.toml": project, "setup.py": "", "src/tasks/__init__.py": ""})
    [found] = scan_here(folder).plugins
    assert (found.kind, found.name, found.location, found.state) == ("project", "tasks", str(folder), "found")
    write({"p.py": plugin("p")})
    assert states(scan_here(folder)) == {"p.py": "found", "setup.py": "broken"}


def test_plugin_may_be_put_into_the_folder_by_a_link(write: Any, scan_here: Scan, tmp_path: Path) -> None:
    folder = write({})
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "__init__.py").write_text(plugin("linked"))
    (folder / "linked").symlink_to(elsewhere)
    assert states(scan_here(folder)) == {"linked": "found"}
    (tmp_path / "secret").write_text("x")
    (elsewhere / "secret").symlink_to(tmp_path / "secret")
    assert states(scan_here(folder)) == {"linked": "broken"}

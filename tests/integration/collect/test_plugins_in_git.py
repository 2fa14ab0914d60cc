"""Plugins of real git repositories: resolved to commits, side by side, never merged."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle.collect import Progress
from treadle.collect.lifecycle import collect_garbage
from treadle.collect.plugins.description import Description
from treadle.collect.plugins.scanning import ScanReport, scan
from treadle.ledger.plugins import list_plugins

pytestmark = pytest.mark.integration

Commit = Callable[..., str]


def plugin(name: str = "p", version: str = "1") -> str:
    return (
        "from qhana_plugin_runner.util.plugins import QHAnaPluginBase\n"
        f"class P(QHAnaPluginBase):\n    name = {name!r}\n    version = {version!r}\n"
    )


def git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *person, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def commit(tmp_path: Path) -> Commit:
    """Commit files to a repository, which is made first if need be; return the commit."""

    def commit(files: dict[str, str], repository: str = "repository") -> str:
        folder = tmp_path / repository
        if not folder.exists():
            folder.mkdir(parents=True)
            git(folder, "init", "--quiet")
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--message", "change")
        return git(folder, "rev-parse", "HEAD")

    return commit


@pytest.fixture
def scan_git(here: Any, tmp_path: Path) -> Callable[..., ScanReport]:
    """Scan git lines; what stands after the scheme is relative to the test's folder."""

    def run(*lines: str, **settings: Any) -> ScanReport:
        whole = tuple(f"git+file://{tmp_path}/{line}" for line in lines)
        named = here.settings.model_copy(update={"git_plugins": whole, **settings})
        return scan(named, here.ledger, Progress(here.phases.append))

    return run


def summary(report: ScanReport) -> list[tuple[str | None, str]]:
    return sorted((entry.identifier, entry.state) for entry in report.plugins)


def test_branch_tag_and_commit_live_side_by_side(commit: Commit, scan_git: Any, tmp_path: Path) -> None:
    first = commit({"plugins/p/__init__.py": plugin(version="1"), "unrelated.txt": ""})
    git(tmp_path / "repository", "tag", "-a", "-m", "tagged", "v2")
    git(tmp_path / "repository", "checkout", "--quiet", "-b", "feature/x")
    second = commit({"plugins/p/__init__.py": plugin(version="2")})
    git(tmp_path / "repository", "tag", "v3")
    third = commit({"plugins/p/__init__.py": plugin(version="3")})
    where = "#egg=x&subdirectory=/plugins"
    report = scan_git(
        f"repository@v2{where}", f"repository@{second[:10]}{where}", f"repository@feature/x{where}"
    )
    assert report.problems == ()
    assert summary(report) == [("p@1", "found"), ("p@2", "found"), ("p@3", "found")]
    provenance = {entry.version: Description.of(entry).provenance for entry in report.plugins}
    assert {version: found["commit"] for version, found in provenance.items()} == {
        "1": first,
        "2": second,
        "3": third,
    }
    assert provenance["3"] == {
        "url": f"file://{tmp_path}/repository",
        "ref": "feature/x",
        "commit": third,
        "subdirectory": "plugins/p",
    }
    locations = [entry.location for entry in report.plugins]
    assert f"git+file://{tmp_path}/repository@{third}#subdirectory=plugins/p" in locations


def test_moved_branch_takes_effect_at_the_next_scan(commit: Commit, scan_git: Any, here: Any) -> None:
    commit({"p.py": plugin(version="1")})
    assert summary(scan_git("repository")) == [("p@1", "found")]
    commit({"p.py": plugin(version="2")})
    assert summary(scan_git("repository")) == [("p@2", "found")]
    with here.ledger.reading() as tx:
        assert sorted((entry.version, entry.state) for entry in list_plugins(tx)) == [
            ("1", "gone"),
            ("2", "found"),
        ]


def test_commit_that_was_fetched_is_not_fetched_again(commit: Commit, scan_git: Any, tmp_path: Path) -> None:
    whole = commit({"p.py": plugin()})
    scan_git(f"repository@{whole}")
    (tmp_path / "repository").rename(tmp_path / "moved")
    report = scan_git(f"repository@{whole}")
    assert report.problems == ()
    assert summary(report) == [("p@1", "found")]


def test_repository_that_cannot_be_asked_keeps_what_is_known_of_it(
    commit: Commit, scan_git: Any, here: Any, tmp_path: Path
) -> None:
    commit({"p.py": plugin()})
    commit({"q.py": plugin("q")}, "other")
    scan_git("repository", "other@main#subdirectory=q.py")
    (tmp_path / "repository").rename(tmp_path / "moved")
    report = scan_git("repository", "other@main#subdirectory=q.py")
    [problem] = report.problems
    assert problem.problem.what.startswith("Line 1 of git_plugins: ")
    assert problem.problem.detail
    with here.ledger.reading() as tx:
        assert {entry.identifier: entry.state for entry in list_plugins(tx)} == {
            "p@1": "found",
            "q@1": "found",
        }


def test_repositories_of_equal_names_and_modules_do_not_mix(commit: Commit, scan_git: Any) -> None:
    commit({"p.py": plugin("one")}, "a/plugins")
    commit({"p.py": plugin("two")}, "b/plugins")
    assert summary(scan_git("a/plugins", "b/plugins")) == [("one@1", "found"), ("two@1", "found")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("repository@absent", "no branch, tag or commit absent"),
        ("repository#subdirectory=absent", "names nothing in the repository"),
        ("repository#subdirectory=out", "names nothing in the repository"),
    ],
)
def test_line_that_leads_nowhere_is_told(
    commit: Commit, scan_git: Any, tmp_path: Path, line: str, problem: str
) -> None:
    (tmp_path / "repository").mkdir()
    git(tmp_path / "repository", "init", "--quiet")
    (tmp_path / "repository" / "out").symlink_to("/etc")
    commit({"p.py": plugin()})
    report = scan_git(line)
    assert report.plugins == ()
    assert problem in report.problems[0].problem.what


def test_scheme_that_is_not_allowed_is_not_used(commit: Commit, scan_git: Any) -> None:
    commit({"p.py": plugin()})
    report = scan_git("repository", git_schemes=("https",))
    assert report.plugins == ()
    assert "file is not among the allowed schemes" in report.problems[0].problem.what


def test_host_that_is_not_allowed_is_not_asked(here: Any) -> None:
    lines = ("git+https://elsewhere.invalid/r",)
    settings = here.settings.model_copy(update={"git_plugins": lines, "git_hosts": ("*.example.org",)})
    report = scan(settings, here.ledger, Progress(here.phases.append))
    assert "elsewhere.invalid is not among the allowed hosts" in report.problems[0].problem.what


def test_links_out_of_the_repository_are_refused(commit: Commit, scan_git: Any, tmp_path: Path) -> None:
    (tmp_path / "repository" / "p").mkdir(parents=True)
    git(tmp_path / "repository", "init", "--quiet")
    (tmp_path / "repository" / "p" / "secret").symlink_to("/etc/passwd")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "__init__.py").write_text(plugin("outside"))
    (tmp_path / "repository" / "linked").symlink_to(tmp_path / "outside")
    commit({"p/__init__.py": plugin(), "good.py": plugin("good")})
    report = scan_git("repository")
    assert {Path(entry.location).name.rpartition("=")[2]: entry.state for entry in report.plugins} == {
        "good.py": "found",
        "linked": "broken",
        "p": "broken",
    }
    assert os.path.lexists(tmp_path / "repository" / "p" / "secret")
    problems = [entry.problem or "" for entry in report.plugins if entry.state == "broken"]
    assert any("link out of the repository" in problem for problem in problems)
    assert any("p/secret is a link" in problem for problem in problems)


def test_secrets_of_a_line_are_neither_stored_nor_shown(here: Any) -> None:
    lines = ("git+https://ana:s3cret@127.0.0.1:1/r",)
    settings = here.settings.model_copy(update={"git_plugins": lines})
    report = scan(settings, here.ledger, Progress(here.phases.append))
    assert report.problems
    assert "s3cret" not in repr(report) + repr(here.phases)


def test_checkout_that_no_plugin_needs_is_collected_as_garbage(
    here: Any, commit: Commit, scan_git: Any
) -> None:
    commit({"p.py": plugin(version="1")})
    scan_git("repository")
    (old,) = here.settings.checkouts_folder.glob("[!.]*")
    commit({"p.py": plugin(version="2")})
    scan_git("repository")
    for folder in here.settings.checkouts_folder.glob("[!.]*"):
        os.utime(folder, (1_000_000_000, 1_000_000_000))

    removed = collect_garbage(
        older_than=timedelta(days=1),
        dry_run=False,
        settings=here.settings,
        ledger=here.ledger,
        progress=Progress(here.phases.append),
    )

    assert [(garbage.kind, garbage.path) for garbage in removed] == [("checkout", old)]
    (kept,) = here.settings.checkouts_folder.glob("[!.]*")
    assert "'2'" in (kept / "p.py").read_text()

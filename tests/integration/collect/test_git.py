from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from treadle.errors import BuildFailed, SourceInvalid
from treadle.testing.ssh import LoopbackSsh

pytestmark = pytest.mark.integration

PYPROJECT = (
    '[project]\nname = "tiny-git"\n{version}\n[project.optional-dependencies]\nmore = []\n'
    '[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{backend}"\n'
)
WITH_UV = {"version": 'version = "1.0"', "requires": "uv_build>=0.12,<0.15", "backend": "uv_build"}


class Repository:
    """A repository of this test alone, with a task package in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write_project("Measure")

    @property
    def url(self) -> str:
        return f"git+file://{quote(str(self.folder))}"

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", *who, *arguments]
        return subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write_project(self, *names: str, under: str = ".", pyproject: dict[str, str] = WITH_UV) -> str:
        project = self.folder / under
        package = project / "src" / "tiny_git"
        package.mkdir(parents=True, exist_ok=True)
        (project / "pyproject.toml").write_text(PYPROJECT.format(**pyproject))
        (package / "__init__.py").touch()
        (package / "measure.py").touch()
        tasks = [{"name": name, "executable_parallel": "measure.py"} for name in names]
        (package / "__FRACTAL_MANIFEST__.json").write_text(
            json.dumps({"manifest_version": "2", "task_list": tasks})
        )
        return self.commit()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "some repositories" / "tiny.git")


def build_phases(here) -> list[str]:
    return [phase for phase in here.phases if phase.startswith("building the wheel")]


def test_default_branch_is_collected_and_pinned_to_its_commit(here, repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")

    collected = here.collect(repository.url)

    package = collected.package
    assert (package.name, package.version) == ("tiny-git", f"1.0+git.{commit[:12]}")
    assert (package.origin, package.source) == ("git", repository.url)
    assert package.provenance == {"url": repository.url.removeprefix("git+"), "commit": commit}
    assert [task.name for task in collected.tasks] == ["Measure"]


def test_moved_branch_gives_a_new_version_and_the_same_commit_is_not_built_again(
    here, repository: Repository
) -> None:
    first = here.collect(f"{repository.url}@main")
    again = here.collect(f"{repository.url}@main")
    assert (again.new, build_phases(here)) == (False, [])
    repository.write_project("Measure", "Count")

    moved = here.collect(f"{repository.url}@main")

    assert moved.new
    assert moved.package.id != first.package.id
    assert [task.name for task in moved.tasks] == ["Measure", "Count"]
    assert len([line for line in here.registered if line.startswith("tiny-git 1.0+git.")]) == 2


def test_branch_that_was_rewritten_is_followed(here, repository: Repository) -> None:
    here.collect(repository.url)
    repository.git("commit", "--quiet", "--amend", "--message=Other", "--allow-empty")
    repository.git("branch", "--quiet", "a")
    here.collect(f"{repository.url}@a")
    repository.git("branch", "--quiet", "--delete", "--force", "a")
    repository.git("branch", "--quiet", "a/b")

    commit = repository.git("rev-parse", "HEAD")

    assert here.collect(f"{repository.url}@a/b").package.version == f"1.0+git.{commit[:12]}"
    with pytest.raises(SourceInvalid, match="no branch, tag or commit a"):
        here.collect(f"{repository.url}@a")


def references(repository: Repository) -> dict[str, str]:
    """Ways to name the first commit, after which there is another."""
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", "light")
    repository.git("tag", "--annotate", "annotated", "--message=x")
    repository.git("branch", "feature/x")
    repository.write_project("Other")
    return {"light": commit, "annotated": commit, "feature/x": commit, commit[:8]: commit, commit: commit}


def test_every_way_to_name_a_commit_finds_it(here, repository: Repository) -> None:
    for ref, commit in references(repository).items():
        collected = here.collect(f"{repository.url}@{ref}")

        assert collected.package.provenance["commit"] == commit, ref
        assert [task.name for task in collected.tasks] == ["Measure"]


def test_commit_that_no_branch_holds_is_fetched_by_its_full_name(here, repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("commit", "--quiet", "--amend", "--message=Other", "--allow-empty")
    repository.git("config", "uploadpack.allowAnySHA1InWant", "true")

    assert here.collect(f"{repository.url}@{commit}").package.provenance["commit"] == commit
    unknown = "0" * 40
    with pytest.raises(SourceInvalid, match=f"no branch, tag or commit {unknown}"):
        here.collect(f"{repository.url}@{unknown}")


def test_known_commit_needs_the_repository_no_more(here, repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    first = here.collect(f"{repository.url}@main")
    shutil.rmtree(repository.folder)
    for place in here.settings.wheels_folder.iterdir():
        shutil.rmtree(place)

    again = here.collect(f"{repository.url}@{commit}")

    assert build_phases(here)
    assert again.package.version == first.package.version
    shutil.rmtree(here.settings.home / "git")
    assert not here.collect(f"{repository.url}@{commit}").new
    assert not build_phases(here)
    with pytest.raises(BuildFailed, match="could not be fetched") as caught:
        here.collect(f"{repository.url}@main")
    assert "tiny.git" in caught.value.detail
    assert caught.value.remedy


def test_subdirectory_is_collected_with_extras_and_by_the_name_it_must_have(
    here, repository: Repository
) -> None:
    repository.write_project("Inner", under="packages/inner tasks")
    place = f"{repository.url}@main#egg=x&subdirectory=/packages/inner%20tasks"

    collected = here.collect(f"Tiny_Git[more] @ {place}")

    assert [task.name for task in collected.tasks] == ["Inner"]
    assert collected.package.provenance["subdirectory"] == "packages/inner tasks"
    assert collected.package.source == (
        f"tiny-git[more] @ {repository.url}@main#subdirectory=packages/inner%20tasks"
    )
    with pytest.raises(SourceInvalid, match="is the project tiny-git, not other"):
        here.collect(f"other @ {place}")
    with pytest.raises(SourceInvalid, match="has no folder nowhere"):
        here.collect(f"{repository.url}#subdirectory=nowhere")


def test_subdirectory_that_leads_out_of_the_repository_is_refused(
    here, repository: Repository, tmp_path: Path
) -> None:
    outside = Repository(tmp_path / "outside")
    (repository.folder / "link").symlink_to(outside.folder)
    repository.commit()

    with pytest.raises(SourceInvalid, match="leads out of its repository"):
        here.collect(f"{repository.url}#subdirectory=link")
    assert list(here.settings.wheels_folder.glob("[!.]*")) == []


def test_version_is_told_by_the_tags_of_the_repository(here, repository: Repository) -> None:
    repository.write_project(
        "Measure",
        pyproject={
            "version": 'dynamic = ["version"]',
            "requires": 'setuptools", "setuptools_scm>=8',
            "backend": "setuptools.build_meta",
        },
    )
    with (repository.folder / "pyproject.toml").open("a") as file:
        file.write('[tool.setuptools_scm]\n[tool.setuptools.package-data]\n"*" = ["*.json"]\n')
    repository.commit()
    repository.git("tag", "v3.2.1")

    assert here.collect(repository.url).package.version.startswith("3.2.1+git.")


def test_wheel_has_the_time_of_its_commit(
    here, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-09-09T12:00:00Z")
    setuptools = {**WITH_UV, "requires": "setuptools", "backend": "setuptools.build_meta"}
    repository.write_project("Measure", pyproject=setuptools)
    with (repository.folder / "pyproject.toml").open("a") as file:
        file.write('[tool.setuptools.package-data]\n"*" = ["*.json"]\n')
    repository.commit()

    here.collect(repository.url)

    (wheel,) = here.settings.wheels_folder.glob("[!.]*/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        times = {member.date_time[:3] for member in archive.infolist()}
    assert times == {(2001, 9, 9)}


def test_nothing_of_the_repository_is_run_or_fetched_by_its_checkout(
    here, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    hooks = tmp_path / "template" / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "post-checkout").write_text(f"#!/bin/sh\necho hook >> '{ran}'\n")
    (hooks / "post-checkout").chmod(0o755)
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[init]\n\ttemplateDir = {tmp_path}/template\n[core]\n\thooksPath = {hooks}\n"
        f'[filter "lfs"]\n\tsmudge = "echo smudge >> \'{ran}\'"\n'
    )
    other = Repository(tmp_path / "other")
    (repository.folder / ".gitattributes").write_text("*.big filter=lfs\n")
    (repository.folder / "x.big").write_text("pointer\n")
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "add", "--quiet", str(other.folder), "sub"
    )
    repository.commit()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_DIR", "/nowhere")

    assert here.collect(repository.url).new

    assert not ran.exists()


def test_repository_is_fetched_by_ssh(here, repository: Repository, tmp_path: Path, monkeypatch) -> None:
    with_server = tmp_path / "ssh"
    with_server.mkdir()
    with LoopbackSsh(with_server) as server:
        options = [
            f"-i {server.key_file}",
            "-o IdentitiesOnly=yes",
            "-o StrictHostKeyChecking=yes",
            f"-o UserKnownHostsFile={server.known_hosts}",
        ]
        monkeypatch.setenv("GIT_SSH_COMMAND", " ".join(["ssh -F none", *options]))
        address = f"git+ssh://{server.user}@{server.host}:{server.port}"
        plain = repository.folder.parent.parent / "plain"
        repository.folder.rename(plain)

        collected = here.collect(f"{address}{plain}@main")

        assert collected.package.origin == "git"
        assert collected.package.source == f"{address}{plain}@main"
    with pytest.raises(BuildFailed, match="could not be fetched"):
        here.collect(f"{address}{plain}@main")


class WebRepositories:
    """Repositories over plain HTTP that want a password."""

    def __init__(self, folder: Path, authorization: str) -> None:
        self.authorization = authorization
        self.refused = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self, folder))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, web: WebRepositories, folder: Path, *args: object) -> None:
        self._web = web
        super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self.headers["Authorization"] == self._web.authorization:
            super().do_GET()
            return
        self._web.refused += 1
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing on the screen."""


@pytest.fixture
def web(repository: Repository, tmp_path: Path) -> Iterator[WebRepositories]:
    served = tmp_path / "served"
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(served / "tiny.git"))
    subprocess.run(["git", "update-server-info"], cwd=served / "tiny.git", check=True)
    web = WebRepositories(served, "Basic bWU6aHVudGVyMg==")  # me:hunter2
    yield web
    web.stop()


def holders(folder: Path, secret: bytes) -> list[Path]:
    """Files below a folder that have a secret in them or in their name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret in path.read_bytes() or secret in os.fsencode(path)]


def test_credentials_of_an_address_are_used_and_never_kept(here, web: WebRepositories) -> None:
    here.settings = here.settings.model_copy(update={"git_schemes": ("http",)})

    collected = here.collect(f"git+http://me:hunter2@{web.host}/tiny.git")

    assert collected.package.source == f"git+http://{web.host}/tiny.git"
    assert collected.package.provenance["url"] == f"http://{web.host}/tiny.git"
    with pytest.raises(BuildFailed, match="could not be fetched") as caught:
        here.collect(f"git+http://me:wrong2@{web.host}/tiny.git")
    assert web.refused
    assert "wrong2" not in f"{caught.value}{caught.value.detail}{caught.value.remedy}{here.phases}"
    for secret in (b"hunter2", b"wrong2", b"bWU6aHVudGVyMg"):
        assert holders(here.settings.home, secret) == []


def limited(here, **limits: tuple[str, ...]) -> None:
    here.settings = here.settings.model_copy(update=limits)


def test_scheme_host_and_building_are_limited_by_the_site(here, repository: Repository) -> None:
    for url in ("git+http://host/x", "git+git://host/x", "git+ext://host/x"):
        with pytest.raises(SourceInvalid, match="not among the allowed schemes"):
            here.collect(url)
    limited(here, git_hosts=("git.example.org",))
    with pytest.raises(SourceInvalid, match="not among the allowed hosts"):
        here.collect("git+https://evil.org/x")
    limited(here, build_sources=("folder",))
    with pytest.raises(SourceInvalid, match="git is not among build_sources"):
        here.collect(repository.url)


def test_stale_locks_of_a_killed_git_do_not_hinder(here, repository: Repository) -> None:
    here.collect(repository.url)
    repository.write_project("Other")
    (mirror,) = (here.settings.home / "git").glob("*.git")
    (mirror / "packed-refs.lock").touch()
    (mirror / "refs" / "heads" / "main.lock").touch()

    assert [task.name for task in here.collect(repository.url).tasks] == ["Other"]


def test_several_at_once_build_once(here, repository: Repository) -> None:
    versions: list[str] = []

    def once(collect: Callable[[str], object]) -> None:
        versions.append(collect(repository.url).package.version)  # type: ignore[attr-defined]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(once, [here.collect] * 4))

    assert len(set(versions)) == 1
    assert len(list(here.settings.wheels_folder.glob("[!.]*"))) == 1

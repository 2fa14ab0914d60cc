from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.progress import Progress
from treadle.collect.sources.grammar import parse_source
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, SourceInvalid

pytestmark = pytest.mark.integration


def prepare_source(here, source: Path | str, **options: bool) -> Prepared:
    uv = Uv(here.settings, Progress(here.phases.append))
    interpreter = examine(here.settings.python)
    asked = parse_source(str(source))
    return prepare(asked, options=CollectOptions(**options), interpreter=interpreter, uv=uv)


def write_project(
    folder: Path, name: str, requires: Sequence[str] = (), extras: Mapping[str, Sequence[str]] | None = None
) -> Path:
    package = folder / "src" / name.replace("-", "_")
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    optional = "".join(f"{extra} = {list(wanted)!r}\n" for extra, wanted in (extras or {}).items())
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = {list(requires)!r}\n'
        f"[project.optional-dependencies]\n{optional}"
        '[build-system]\nrequires = ["uv_build>=0.12,<0.15"]\nbuild-backend = "uv_build"\n'
    )
    return folder


def commit(folder: Path) -> str:
    """Make a repository of a folder; return the address for pip."""
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all"],
        ["-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "--message=One"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return f"git+file://{quote(str(folder))}"


def head(folder: Path) -> str:
    command = ["git", "rev-parse", "HEAD"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def wheels_of(prepared: Prepared) -> dict[str, Path]:
    """Our wheel of each direct reference, by what stands before the `@`."""
    pairs = (line.split(" @ file://") for line in prepared.direct)
    return {name: Path(unquote(path)) for name, path in pairs}


def test_repositories_among_the_dependencies_become_wheels_of_ours(here, tmp_path: Path) -> None:
    deep = commit(write_project(tmp_path / "deep", "deep-lib"))
    other = commit(write_project(tmp_path / "other", "other-lib", extras={"more": [f"deep-lib @ {deep}"]}))
    project = write_project(tmp_path / "main", "main-tasks", [f"other-lib[more] @ {other}@main", "six"])

    prepared = prepare_source(here, project)

    wheels = wheels_of(prepared)
    assert list(wheels) == ["deep-lib", "other-lib[more]"]
    assert all(
        path.is_file() and path.is_relative_to(here.settings.wheels_folder) for path in wheels.values()
    )
    assert prepared.provenance["dependency other-lib"] == f"{other}@{head(tmp_path / 'other')}"
    here.phases.clear()
    assert prepare_source(here, project).direct == prepared.direct
    assert not [phase for phase in here.phases if phase.startswith("building")]


def test_extras_that_are_asked_without_the_address_count(here, tmp_path: Path) -> None:
    deep = commit(write_project(tmp_path / "deep", "deep-lib"))
    lib = commit(write_project(tmp_path / "lib", "lib", extras={"more": [f"deep-lib @ {deep}"]}))
    other = commit(write_project(tmp_path / "other", "other-lib", [f"lib @ {lib}"]))
    project = write_project(tmp_path / "main", "main-tasks", ["lib[more]", f"other-lib @ {other}"])

    assert list(wheels_of(prepare_source(here, project))) == ["deep-lib", "lib[more]", "other-lib"]


def test_only_what_extras_and_markers_want_is_fetched(here, tmp_path: Path) -> None:
    gone = "git+file:///nowhere/at-all"
    requires = [f"old-lib @ {gone} ; python_version < '3.0'"]
    project = write_project(tmp_path / "main", "main-tasks", requires, {"more": [f"lib @ {gone}"]})

    assert prepare_source(here, project).direct == ()
    with pytest.raises(BuildFailed, match="could not be fetched"):
        prepare_source(here, f"main-tasks[more] @ {commit(project)}")


def test_limits_of_git_hold_for_dependencies(here, tmp_path: Path) -> None:
    project = write_project(tmp_path / "main", "main-tasks", ["lib @ git+https://me:hunter2@evil.org/lib"])
    here.settings = here.settings.model_copy(update={"git_hosts": ("good.org",)})

    with pytest.raises(SourceInvalid, match=r"evil\.org is not among the allowed hosts") as caught:
        prepare_source(here, project)

    assert "hunter2" not in str(caught.value)


def test_two_addresses_of_one_dependency_are_an_error(here, tmp_path: Path) -> None:
    one = commit(write_project(tmp_path / "one", "lib"))
    two = commit(write_project(tmp_path / "two", "lib"))
    other = commit(write_project(tmp_path / "other", "other-lib", [f"lib @ {two}"]))
    project = write_project(tmp_path / "main", "main-tasks", [f"lib @ {one}", f"other-lib @ {other}"])

    with pytest.raises(SourceInvalid, match=r"lib is wanted from .*/one.* and from .*/two"):
        prepare_source(here, project)


def test_repositories_that_need_one_another_come_to_an_end(here, tmp_path: Path) -> None:
    url = f"git+file://{quote(str(tmp_path / 'one'))}"
    two = commit(write_project(tmp_path / "two", "two-lib", [f"one-lib @ {url}"]))
    commit(write_project(tmp_path / "one", "one-lib", [f"two-lib @ {two}"]))
    project = write_project(tmp_path / "main", "main-tasks", [f"one-lib @ {url}"])

    assert list(wheels_of(prepare_source(here, project))) == ["one-lib", "two-lib"]


def test_dependency_that_is_another_project_than_its_name_is_an_error(here, tmp_path: Path) -> None:
    url = commit(write_project(tmp_path / "lib", "lib"))
    project = write_project(tmp_path / "main", "main-tasks", [f"other @ {url}"])

    with pytest.raises(SourceInvalid, match="is the project lib, not other"):
        prepare_source(here, project)


def test_paths_are_followed_from_a_folder_only(here, tmp_path: Path) -> None:
    library = write_project(tmp_path / "my lib", "lib")
    project = write_project(tmp_path / "main", "main-tasks", [f"lib @ file://{quote(str(library))}"])

    assert list(wheels_of(prepare_source(here, project))) == ["lib"]
    with pytest.raises(SourceInvalid, match="which is not followed"):
        prepare_source(here, commit(project))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing on the screen."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0),
        lambda *args: _Quiet(*args, directory=str(folder)),  # type: ignore[arg-type]
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_wheel_at_an_address_is_fetched_and_its_hash_checked(
    here, tmp_path: Path, make_wheel, served: tuple[Path, str]
) -> None:
    folder, url = served
    made = make_wheel("lib", "1.0")
    shutil.copy(made, folder)
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    project = write_project(tmp_path / "main", "main-tasks", [f"lib @ {url}/{made.name}#sha256={digest}"])

    (wheel,) = wheels_of(prepare_source(here, project)).values()

    assert wheel.read_bytes() == made.read_bytes()
    assert wheel.is_relative_to(here.settings.wheels_folder)
    (folder / made.name).write_bytes(made.read_bytes() + b"x")
    with pytest.raises(SourceInvalid, match="another file than its hash says"):
        prepare_source(here, project)
    (folder / made.name).unlink()
    with pytest.raises(BuildFailed, match="could not be fetched"):
        prepare_source(here, project)


@pytest.mark.parametrize("url", ["http://host/lib-1.0-py3-none-any.whl", "https://host/lib-1.0.tar.gz"])
def test_unprotected_wheels_and_source_archives_of_dependencies_are_refused(
    here, tmp_path: Path, url: str
) -> None:
    project = write_project(tmp_path / "main", "main-tasks", [f"lib @ {url}"])

    with pytest.raises(SourceInvalid, match=r"unprotected|is not followed") as caught:
        prepare_source(here, project)

    assert caught.value.remedy

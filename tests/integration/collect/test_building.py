from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from treadle.collect import Progress, collect
from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.sources.grammar import FolderSource
from treadle.collect.sources.preparation import prepare
from treadle.collect.sources.prepared import Prepared
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, Cancelled, SourceInvalid
from treadle.settings import Settings
from treadle.testing.cluster import wait_until

pytestmark = pytest.mark.integration

MANIFEST = {"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}
BACKEND = """
import json, os, subprocess, sys, time
from hatchling import build as real

def get_requires_for_build_wheel(settings=None):
    return REQUIRES

def build_wheel(folder, settings=None, metadata=None):
    BODY
    return real.build_wheel(folder, settings, metadata)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that is built by a backend of its own; `write_backend` says what that does."""
    folder = tmp_path / "my project"
    (folder / "own_tasks").mkdir(parents=True)
    (folder / "own_tasks" / "__init__.py").touch()
    (folder / "own_tasks" / "measure.py").touch()
    (folder / "own_tasks" / "__FRACTAL_MANIFEST__.json").write_text(json.dumps(MANIFEST))
    (folder / "tools").mkdir()
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "own-tasks"\nversion = "1.0"\n[build-system]\nrequires = ["hatchling"]\n'
        'build-backend = "backend"\nbackend-path = ["tools"]\n'
    )
    write_backend(folder, "pass")
    return folder


def write_backend(project: Path, body: str, requires: tuple[str, ...] = ()) -> None:
    text = BACKEND.replace("REQUIRES", repr(list(requires))).replace("BODY", body)
    (project / "tools" / "backend.py").write_text(text)


def only_wheel(settings: Settings) -> Path:
    (wheel,) = settings.wheels_folder.glob("[!.]*/*")
    return wheel


def test_code_of_the_project_sees_no_secret(
    here, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "UV_INDEX_LAB_PASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "TREADLE_LEDGER_URL",
        "PREFECT_API_KEY",
        "HTTPS_PROXY_PASSWORD",
        "NETRC",
        "GITHUB_TOKEN",
        "SSH_AUTH_SOCK",
    ):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("CFLAGS", "-O1")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    dump = tmp_path / "dump.json"
    write_backend(
        project,
        f"json.dump([dict(os.environ), os.listdir(os.path.expanduser('~'))], open({str(dump)!r}, 'w'))",
    )

    assert here.collect(project).new

    seen, home = json.loads(dump.read_text())
    assert "hunter2" not in json.dumps(seen)
    assert (seen["CFLAGS"], seen["SOURCE_DATE_EPOCH"]) == ("-O1", "1000000000")
    assert home == []
    assert not {name for name in seen if name.startswith(("UV_", "TREADLE_", "PREFECT_", "PIP_"))}
    assert seen["HOME"] != os.environ["HOME"]
    assert not Path(seen["HOME"]).exists()


def test_what_a_backend_asks_for_besides_is_installed(here, project: Path, index, make_wheel) -> None:
    index.add(make_wheel("helper", "1.0", files={"helper.py": "answer = 42\n"}))
    pyproject = project / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('requires = ["hatchling"]', "requires = []"))
    source = make_wheel("own-tasks", "1.0")
    (project / "tools" / "backend.py").write_text(
        "import shutil\n"
        "def get_requires_for_build_wheel(settings=None):\n    return ['helper==1.0']\n"
        "def build_wheel(folder, settings=None, metadata=None):\n"
        "    import helper\n    assert helper.answer == 42\n"
        f"    shutil.copy({str(source)!r}, folder)\n    return {source.name!r}\n"
    )

    assert [task.name for task in here.collect(project).tasks] == ["Measure"]


@pytest.mark.parametrize("asked", ["--index-url=http://127.0.0.1:9", "x @ git+https://host/x", "-e ."])
def test_backend_may_ask_for_nothing_but_packages_of_the_index(here, project: Path, asked: str) -> None:
    write_backend(project, "pass", (asked,))

    with pytest.raises(BuildFailed, match="asks for what cannot be installed"):
        here.collect(project)


def test_build_is_heard_line_by_line(here, project: Path) -> None:
    write_backend(project, "print('compiling'); print('at https://me:hunter2@lab.example', file=sys.stderr)")
    lines: list[str] = []

    collect(
        str(project),
        settings=here.settings,
        ledger=here.ledger,
        progress=Progress(here.phases.append, lines.append),
    )

    assert "compiling" in lines
    assert "at https://lab.example" in lines


SLEEP = """subprocess.Popen(['sleep', '600'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    open('pids', 'w').write(f'{os.getpgid(0)}')
    print('asleep', flush=True)
    time.sleep(600)"""


def processes_of(group: int) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(place.name)
    return found


def nothing_is_left(here, project: Path) -> None:
    group = int((project / "pids").read_text())
    wait_until(lambda: not processes_of(group))
    assert list(here.settings.wheels_folder.glob("[!.]*")) == []
    assert here.environments == here.registered == []


def test_build_that_never_ends_is_stopped_by_the_limit(here, project: Path) -> None:
    write_backend(project, SLEEP)
    here.settings = here.settings.model_copy(update={"build_seconds": 5})

    with pytest.raises(BuildFailed, match="was stopped after 5 seconds") as caught:
        here.collect(project)

    assert "build_seconds" in caught.value.remedy
    nothing_is_left(here, project)


def test_build_that_never_ends_is_stopped_on_request(here, project: Path) -> None:
    write_backend(project, SLEEP)
    stop = threading.Event()

    def hear(line: str) -> None:
        if line == "asleep":
            stop.set()

    with pytest.raises(Cancelled):
        collect(
            str(project),
            settings=here.settings,
            ledger=here.ledger,
            progress=Progress(lambda _: None, hear, stop),
        )

    nothing_is_left(here, project)


def test_project_with_nothing_but_setup_py_is_built(here, project: Path) -> None:
    (project / "pyproject.toml").unlink()
    (project / "setup.py").write_text(
        "from setuptools import setup\nimport helper\n"
        "setup(name='own-tasks', version=helper.VERSION, packages=['own_tasks'],\n"
        "      package_data={'own_tasks': ['*.json']})\n"
    )
    (project / "helper.py").write_text("VERSION = '2.5'\n")

    assert here.collect(project).package.version == "2.5"


def test_backend_that_leaves_no_wheel_is_an_error(here, project: Path) -> None:
    write_backend(project, "return 'own_tasks-1.0-py3-none-any.whl'")

    with pytest.raises(BuildFailed, match="left no wheel own_tasks"):
        here.collect(project)


def test_build_requirement_that_cannot_be_had_is_named(here, project: Path, index) -> None:
    del index

    with pytest.raises(BuildFailed, match="could not be installed: hatchling") as caught:
        here.collect(project)

    assert "build-system" in caught.value.remedy


def prepare_folder(here, project: Path) -> Prepared:
    uv = Uv(here.settings, Progress(here.phases.append))
    python = examine(here.settings.python)
    return prepare(FolderSource(project), options=CollectOptions(), interpreter=python, uv=uv)


@pytest.fixture
def lab_backend(make_wheel) -> Path:
    """The wheel of a build backend that hands out a wheel of `own-tasks`."""
    source = make_wheel("own-tasks", "1.0")
    text = (
        "import os, shutil\ndef build_wheel(folder, settings=None, metadata=None):\n"
        f"    return os.path.basename(shutil.copy({str(source)!r}, folder))\n"
    )
    return make_wheel("lab-backend", "1.0", files={"lab_backend.py": text})


def write_build_system(project: Path, requires: str, module: str) -> None:
    (project / "pyproject.toml").write_text(
        '[project]\nname = "own-tasks"\nversion = "1.0"\n'
        f'[build-system]\nrequires = ["{requires}"]\nbuild-backend = "{module}"\n'
    )


def test_build_needs_no_index_where_there_is_a_wheelhouse(here, project: Path, lab_backend, index) -> None:
    del index
    here.settings = here.settings.model_copy(update={"wheelhouse": lab_backend.parent})
    write_build_system(project, "lab-backend", "lab_backend")
    assert prepare_folder(here, project).name == "own-tasks"

    (project / "src").mkdir()
    (project / "own_tasks").rename(project / "src" / "own_tasks")
    write_build_system(project, "uv_build>=0.12,<0.15", "uv_build")
    assert prepare_folder(here, project).name == "own-tasks"


def test_build_requirement_newer_than_asked_is_not_taken(here, project: Path, lab_backend, index) -> None:
    index.add(lab_backend)  # whose pages do not tell when it came, so that it counts as new
    write_build_system(project, "lab-backend", "lab_backend")
    dated = here.settings
    here.settings = dated.model_copy(update={"exclude_newer": "2024-01-01"})

    with pytest.raises(BuildFailed, match="could not be installed: lab-backend"):
        prepare_folder(here, project)
    here.settings = dated
    assert prepare_folder(here, project).name == "own-tasks"


def test_folder_is_not_built_where_that_is_not_allowed(here, project: Path) -> None:
    here.settings = here.settings.model_copy(update={"build_sources": ("git",)})

    with pytest.raises(SourceInvalid, match="folder is not among build_sources") as caught:
        here.collect(project)

    assert "administrator" in caught.value.remedy

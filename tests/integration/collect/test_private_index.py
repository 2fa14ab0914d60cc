from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest

from treadle.collect import Collected, Progress, collect
from treadle.collect.uv import Uv
from treadle.errors import BuildFailed, CollectError, ResolutionFailed

pytestmark = pytest.mark.integration

PASSWORD = "hunter2/of:the@lab"
SECRETS = (PASSWORD.encode(), quote(PASSWORD, safe="").encode(), b"bWU6aHVudGVy", b"wrong2")


@pytest.fixture
def private(here, index, make_wheel, monkeypatch: pytest.MonkeyPatch):
    """An index that serves a task package and what it needs to the user `me` alone."""
    monkeypatch.setenv("UV_CACHE_DIR", str(here.settings.home / "cache"))  # searched for secrets, too
    index.password = PASSWORD
    index.add(make_wheel("tiny-tasks", "1.0", requires=["lib"]), make_wheel("lib", "1.0", files={}))
    return index


def name_index(monkeypatch: pytest.MonkeyPatch, way: str, index, password: str = PASSWORD) -> None:
    """Tell of the index and its password in one of the ways that uv has."""
    with_password = index.url.replace("://", f"://me:{quote(password, safe='')}@")
    if way == "variables":
        monkeypatch.setenv("UV_DEFAULT_INDEX", f"lab={index.url}")
        monkeypatch.setenv("UV_INDEX_LAB_USERNAME", "me")
        monkeypatch.setenv("UV_INDEX_LAB_PASSWORD", password)
    elif way == "default":
        monkeypatch.setenv("UV_DEFAULT_INDEX", with_password)
    else:
        monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/nothing")
        monkeypatch.setenv("UV_INDEX", f"lab={with_password}")


def collect_heard(here, source: str, heard: list[str]) -> Collected:
    progress = Progress(heard.append, heard.append)
    return collect(source, settings=here.settings, ledger=here.ledger, progress=progress)


def holders(folder: Path) -> list[Path]:
    """Files below a folder that have a secret in them or in their name."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [
        path
        for path in files
        if any(secret in path.read_bytes() or secret in os.fsencode(path) for secret in SECRETS)
    ]


def assert_kept_secret(here, *texts: object) -> None:
    assert holders(here.settings.home) == []
    shown = "\n".join(map(str, texts)).encode()
    assert not [secret for secret in SECRETS if secret in shown]


@pytest.mark.parametrize("way", ["variables", "default", "further"])
def test_password_of_an_index_is_used_and_never_kept(
    here, private, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    name_index(monkeypatch, way, private)
    heard: list[str] = []

    collected = collect_heard(here, "tiny-tasks", heard)

    assert [task.name for task in collected.tasks] == ["Measure"]
    assert_kept_secret(here, *heard, collected)


@pytest.mark.parametrize("way", ["variables", "default", "further"])
def test_wrong_password_is_told_without_showing_it(
    here, private, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    name_index(monkeypatch, way, private, password="wrong2")
    heard: list[str] = []

    with pytest.raises(ResolutionFailed) as caught:
        collect_heard(here, "tiny-tasks", heard)

    assert private.refused
    assert_kept_secret(here, *heard, caught.value, caught.value.detail, caught.value.remedy)
    assert "401" in caught.value.detail


@pytest.mark.parametrize("way", ["variables", "default", "further"])
def test_index_that_is_away_is_told_without_showing_its_password(
    here, private, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    name_index(monkeypatch, way, private)
    private.url = "http://127.0.0.1:9/simple"
    name_index(monkeypatch, way, private)
    heard: list[str] = []

    with pytest.raises(CollectError, match="could not be asked") as caught:
        collect_heard(here, "tiny-tasks", heard)

    assert_kept_secret(here, *heard, caught.value, caught.value.detail, caught.value.remedy)


def test_address_that_is_written_wrong_does_not_show_its_password(
    here, private, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", private.url.replace("://", f"://me:{PASSWORD}@"))
    heard: list[str] = []

    with pytest.raises(CollectError) as caught:
        collect_heard(here, "tiny-tasks", heard)

    assert_kept_secret(here, *heard, caught.value, caught.value.detail, caught.value.remedy)


BACKEND = """
import os, sys
SOURCE = {source!r}
def build_wheel(folder, settings=None, metadata=None):
    import shutil
    print(sorted(os.environ.items()), file=sys.stderr)
    if {fails!r}:
        raise SystemExit("no wheel today")
    return os.path.basename(shutil.copy(SOURCE, folder))
"""


def test_project_is_built_with_what_a_private_index_has_but_without_its_password(
    here, private, make_wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_index(monkeypatch, "variables", private)
    built = make_wheel("own-tasks", "1.0", requires=["lib"])
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["lab-backend"]\nbuild-backend = "lab_backend"\n'
    )
    heard: list[str] = []

    files = {"lab_backend.py": BACKEND.format(source=str(built), fails=True)}
    private.add(make_wheel("lab-backend", "1.0", files=files))
    with pytest.raises(BuildFailed, match="could not be built") as caught:
        collect_heard(here, str(project), heard)
    assert "no wheel today" in caught.value.detail
    files = {"lab_backend.py": BACKEND.format(source=str(built), fails=False)}
    private.add(make_wheel("lab-backend", "2.0", files=files))

    assert collect_heard(here, str(project), heard).package.name == "own-tasks"

    assert_kept_secret(here, *heard, caught.value, caught.value.detail)


SDIST_BACKEND = """
import json, os
def build_wheel(folder, settings=None, metadata=None):
    import shutil
    json.dump([dict(os.environ), os.listdir(os.path.expanduser("~"))], open({dump!r}, "w"))
    return os.path.basename(shutil.copy({source!r}, folder))
"""


def make_sdist(folder: Path, backend: str) -> Path:
    archive = folder / "built_lib-1.0.tar.gz"
    files = {
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n',
        "b.py": backend,
        "PKG-INFO": "Metadata-Version: 2.1\nName: built-lib\nVersion: 1.0\n",
    }
    with tarfile.open(archive, "w:gz") as made:
        for name, text in files.items():
            member = tarfile.TarInfo(f"built_lib-1.0/{name}")
            member.size = len(text.encode())
            made.addfile(member, io.BytesIO(text.encode()))
    return archive


def test_distribution_of_an_index_is_built_without_our_secrets(
    here, private, make_wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_index(monkeypatch, "variables", private)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong2")
    dump = tmp_path / "dump.json"
    wheel = make_wheel("built-lib", "1.0", files={})
    private.add(make_sdist(tmp_path, SDIST_BACKEND.format(dump=str(dump), source=str(wheel))))
    heard: list[str] = []
    uv = Uv(here.settings, Progress(heard.append, heard.append))
    (tmp_path / "requirements.in").write_text("built-lib\n")

    rules = ["--only-binary", ":all:", "--no-binary", "built-lib", "--python", str(here.settings.python)]
    lock = uv.run(["pip", "compile", "requirements.in", *rules], folder=tmp_path)

    assert "built-lib==1.0" in lock
    seen, home = json.loads(dump.read_text())
    assert home == []
    assert not {name for name in seen if name.startswith(("UV_INDEX", "UV_DEFAULT", "AWS_", "TREADLE_"))}
    assert_kept_secret(here, seen, *heard, lock)

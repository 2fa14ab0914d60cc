"""What may be asked of a collection beside its source."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.collect import Progress
from treadle.collect.environments.interpreter import examine
from treadle.collect.options import CollectOptions
from treadle.collect.resolution import find_lock
from treadle.collect.sources.prepared import Prepared
from treadle.collect.sources.wheels import wheel_from_file
from treadle.collect.uv import Uv
from treadle.errors import AlreadyExists, BuildFailed, InterpreterMissing, ResolutionFailed

pytestmark = pytest.mark.integration


@pytest.fixture
def library(make_wheel):
    """Make a wheel of a plain library, in a version."""
    return lambda version, name="tiny-library", **more: make_wheel(
        name, version, files={f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n"}, **more
    )


@pytest.fixture
def chain(index, make_wheel, library) -> None:
    """Tasks that need a helper that needs a library, of which there are three versions."""
    index.add(*(library(version) for version in ("1.0", "2.0", "3.0")))
    index.add(library("1.0", "tiny-helper", requires=["tiny-library>=2"]))
    index.add(make_wheel(requires=["tiny-helper"]))


def add_source_only(index, tmp_path: Path, name: str = "only-source") -> Path:
    """Put a distribution without a wheel into the index; return the file that its setup code makes."""
    mark, stem = tmp_path / f"{name} was built", f"{name.replace('-', '_')}-1.0"
    setup = (
        f"open({str(mark)!r}, 'w').close()\n"
        "from setuptools import setup\n"
        f"setup(name={name!r}, version='1.0', py_modules=[{name.replace('-', '_')!r}])\n"
    )
    files = {
        "setup.py": setup,
        f"{name.replace('-', '_')}.py": "",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
        "backend.py": BACKEND.format(mark=str(mark), name=name, stem=stem),
    }
    archive = tmp_path / f"{stem}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size = len(content.encode())
            tar.addfile(member, io.BytesIO(content.encode()))
    index.add(archive)
    return mark


BACKEND = """
import zipfile
CONTENT = {{
    "METADATA": "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    open({mark!r}, "w").close()
    file = "{stem}-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + file, "w") as archive:
        for name, text in CONTENT.items():
            archive.writestr("{stem}.dist-info/" + name, text)
    return file
"""


@pytest.mark.usefixtures("chain")
def test_pin_takes_part_in_the_resolution(here) -> None:
    assert "tiny-library==3.0" in here.preview("tiny-tasks").packages

    collected = here.collect("tiny-tasks", pins={"Tiny.Library": "2.0"})

    assert "tiny-library==2.0" in collected.environment.lock
    assert collected.package.options == {"pins": {"tiny-library": "2.0"}}


@pytest.mark.usefixtures("chain")
def test_pin_that_contradicts_the_packages_is_explained(here) -> None:
    with pytest.raises(ResolutionFailed, match="No set of packages") as caught:
        here.collect("tiny-tasks", pins={"tiny-library": "1.0"})

    assert "tiny-helper" in caught.value.detail
    assert here.environments == here.registered == []


@pytest.mark.usefixtures("chain")
@pytest.mark.parametrize(("kind", "verb"), [("pins", "pinned"), ("overrides", "overridden")])
def test_version_of_what_nothing_needs_is_refused(here, kind: str, verb: str) -> None:
    with pytest.raises(ResolutionFailed, match=f"tiny-librari is {verb}, but nothing needs it"):
        here.collect("tiny-tasks", **{kind: {"tiny-librari": "1.0"}})


@pytest.mark.usefixtures("chain")
def test_override_is_installed_whatever_the_packages_ask_for(here) -> None:
    collected = here.collect("tiny-tasks", overrides={"tiny-library": "1.0"})

    assert "tiny-library==1.0" in (Path(collected.environment.path) / "treadle-freeze.txt").read_text()


@pytest.mark.usefixtures("chain")
def test_known_lock_counts_for_the_same_options_only(here) -> None:
    """A version of an index keeps its environment: another pin is another environment, and is refused."""
    first = here.collect("tiny-tasks", pins={"tiny-library": "2.0"})

    assert not here.collect("tiny-tasks", pins={"tiny_library": "2.0"}).new
    assert "tiny-library==3.0" in here.preview("tiny-tasks").packages
    with pytest.raises(AlreadyExists, match="already collected") as caught:
        here.collect("tiny-tasks")
    assert "treadle package delete tiny-tasks --version 1.0" in caught.value.remedy
    assert here.environments == [first.environment.id]


def test_changed_pin_gives_a_wheel_another_environment(here, index, make_wheel, library) -> None:
    index.add(library("1.0"), library("2.0"))
    wheel = make_wheel(requires=["tiny-library"])
    first = here.collect(wheel)

    second = here.collect(wheel, pins={"tiny-library": "1.0"})

    assert second.package.id == first.package.id
    assert second.environment.id != first.environment.id
    assert "tiny-library==1.0" in second.environment.lock


def test_index_as_it_was_at_a_time_can_be_had(here, index, make_wheel, library) -> None:
    """The time of an upload is in the index's answer in the form of PEP 691 alone."""
    index.add(make_wheel(requires=["tiny-library"]))
    dated(index, make_wheel(requires=["tiny-library"]), "2020-01-01T00:00:00Z")
    dated(index, library("1.0"), "2020-01-01T00:00:00Z")
    dated(index, library("2.0"), "2022-01-01T00:00:00Z")

    assert "tiny-library==2.0" in here.preview("tiny-tasks").packages
    assert "tiny-library==1.0" in here.preview("tiny-tasks", exclude_newer="2021-01-01").packages
    site = replace(here, settings=here.settings.model_copy(update={"exclude_newer": "2021-01-01"}))
    assert "tiny-library==1.0" in site.preview("tiny-tasks").packages
    assert "tiny-library==2.0" in site.preview("tiny-tasks", exclude_newer="2023-01-01").packages


def dated(index, archive: Path, uploaded: str) -> None:
    """Put an archive into the index with the time of its upload, as JSON."""
    index.add(archive)
    name = archive.name.partition("-")[0].replace("_", "-").lower()
    page = index.folder / "simple" / name / "index.html"
    known = page.with_name("files.json")
    files = json.loads(known.read_text()) if known.exists() else []
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    entry = {
        "filename": archive.name,
        "url": archive.name,
        "hashes": {"sha256": digest},
        "upload-time": uploaded,
    }
    files = [file for file in files if file["filename"] != archive.name] + [entry]
    known.write_text(json.dumps(files))
    page.with_name("index.json").write_text(
        json.dumps({"meta": {"api-version": "1.1"}, "name": name, "files": files})
    )


@pytest.fixture
def wheelhouse(here, tmp_path: Path, make_wheel, library, monkeypatch: pytest.MonkeyPatch):
    """A folder of wheels, and an index that nobody can reach."""
    folder = tmp_path / "wheel house"
    folder.mkdir()
    for wheel in (library("1.0"), make_wheel(requires=["tiny-library"])):
        shutil.copy(wheel, folder)
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    return replace(here, settings=here.settings.model_copy(update={"wheelhouse": folder}))


def test_wheelhouse_is_enough_without_any_network(wheelhouse) -> None:
    collected = wheelhouse.collect("tiny-tasks")

    assert "tiny-library==1.0" in collected.environment.lock
    assert "wheel house" not in collected.environment.lock
    assert not wheelhouse.collect("tiny-tasks").new


def test_what_the_wheelhouse_lacks_is_said(wheelhouse) -> None:
    (wheelhouse.settings.wheelhouse / "tiny_library-1.0-py3-none-any.whl").unlink()

    with pytest.raises(ResolutionFailed, match="No set of packages") as caught:
        wheelhouse.collect("tiny-tasks")

    assert "tiny-library" in caught.value.detail
    assert str(wheelhouse.settings.wheelhouse) in caught.value.remedy


def test_only_what_is_named_is_built_from_source(here, index, make_wheel, tmp_path: Path) -> None:
    one, other = add_source_only(index, tmp_path), add_source_only(index, tmp_path, "other-source")
    index.add(
        make_wheel(requires=["only-source"]),
        make_wheel(version="2.0", requires=["only-source", "other-source"]),
    )

    with pytest.raises(ResolutionFailed) as caught:
        here.collect("tiny-tasks==1.0")
    assert "only-source" in caught.value.remedy
    assert "--build" in caught.value.remedy
    assert not one.exists()
    with pytest.raises(ResolutionFailed) as caught:
        here.collect("tiny-tasks==2.0", builds=("only-source",))
    assert "other-source" in caught.value.remedy
    assert not other.exists()

    collected = here.collect("tiny-tasks==1.0", builds=("Only_Source",))

    assert one.exists()
    assert "only-source==1.0" in (Path(collected.environment.path) / "treadle-freeze.txt").read_text()


def test_what_may_be_built_is_still_installed_from_its_wheel(
    here, index, make_wheel, library, tmp_path: Path
) -> None:
    mark = add_source_only(index, tmp_path)
    index.add(library("1.0", "only-source"), make_wheel(requires=["only-source"]))
    site = replace(here, settings=here.settings.model_copy(update={"builds": ("only-source",)}))

    site.collect("tiny-tasks")

    assert not mark.exists()


def find(here, prepared: Prepared, **options):
    uv = Uv(here.settings, Progress(here.phases.append))
    interpreter = examine(here.settings.python)
    return find_lock(
        prepared, options=CollectOptions(**options), interpreter=interpreter, uv=uv, known=lambda _: None
    )


def prepared(**more) -> Prepared:
    fields = {"origin": "index", "source": "tiny-tasks", "name": "tiny-tasks", "version": None}
    return Prepared(**fields, requirement="tiny-tasks", **more)  # type: ignore[arg-type]


@pytest.mark.usefixtures("chain")
def test_lock_that_a_package_ships_is_kept_to(here, library) -> None:
    digest = hashlib.sha256(library("2.0").read_bytes()).hexdigest()
    shipped = (
        f"tiny-library==2.0 ; python_version >= '3.8' \\\n    --hash=sha256:{digest} \\\n"
        f"    --hash=sha256:{'0' * 64}\n"
        "tiny-library==1.0 ; python_version < '3.8'\n"
    )

    assert find(here, prepared(locked=shipped)).version("tiny-library") == "2.0"
    assert find(here, prepared(locked=shipped), pins={"tiny-library": "3.0"}).version("tiny-library") == "3.0"


@pytest.mark.usefixtures("chain")
def test_archive_that_a_shipped_lock_does_not_know_is_refused(here) -> None:
    with pytest.raises(ResolutionFailed, match=r"tiny-library==2\.0 is another archive"):
        find(here, prepared(locked=f"tiny-library==2.0 --hash=sha256:{'0' * 64}\n"))


@pytest.mark.usefixtures("chain")
def test_wheels_of_ours_stand_for_direct_references_and_more_can_be_asked_for(here, library) -> None:
    own = library("9.0+own")
    kept = wheel_from_file(own, uv=Uv(here.settings, Progress(here.phases.append)))

    lock = find(here, prepared(direct=(kept.required(),), also=("tiny-helper==1.0",)))

    assert lock.version("tiny-library") == "9.0+own"
    assert "tiny-library @ file://${TREADLE_WHEELS}/" in lock.text
    assert "my%20home" not in lock.text


def test_interpreter_is_chosen_by_version_and_by_path(here, make_wheel) -> None:
    own = ".".join(map(str, sys.version_info[:2]))
    wheel = make_wheel()

    collected = here.collect(wheel, python=own)

    assert collected.package.options == {"python": own}
    assert here.preview(wheel, python=sys.executable).environment_id == collected.environment.id
    with pytest.raises(InterpreterMissing, match=r"No interpreter of version 3\.99"):
        here.collect(wheel, python="3.99")


def test_contradiction_that_nobody_asked_for_ends_the_build(here, index, make_wheel, library) -> None:
    """The override is for another distribution than the one that does not fit."""
    index.add(library("1.0"), library("1.0", "tiny-helper"))
    wheel = make_wheel(requires=["tiny-library>=2", "tiny-helper>=2"])

    assert here.collect(wheel, overrides={"tiny-library": "1.0", "tiny-helper": "1.0"}).new
    with pytest.raises((ResolutionFailed, BuildFailed)):
        here.collect(wheel, overrides={"tiny-library": "1.0"})

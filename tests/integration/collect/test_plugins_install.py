"""Plugins installed for real, from an index of the test's own, each into an environment of its own."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.collect import Progress
from treadle.collect.plugins import derived
from treadle.collect.plugins.installing import install
from treadle.collect.plugins.report import Installation, InstallReport
from treadle.collect.plugins.scanning import scan
from treadle.errors import UnknownName
from treadle.ledger.packages import get_environment, list_packages
from treadle.ledger.plugins import list_plugins

pytestmark = pytest.mark.integration

REALISTIC = {
    "hello/__init__.py": '''
        from textwrap import dedent

        from qhana_plugin_runner.util.plugins import QHAnaPluginBase, plugin_identifier

        _plugin_name = "hello-world"
        __version__ = "v0.2.1"
        _identifier = plugin_identifier(_plugin_name, __version__)


        class HelloWorld(QHAnaPluginBase):
            name = _plugin_name
            version = __version__
            description = "Says hello."
            tags = ["hello", "example"]

            def get_api_blueprint(self):
                from .routes import BLUEPRINT
                return BLUEPRINT

            def get_requirements(self) -> str:
                return dedent(
                    """
                    # what it needs
                    tiny-lib>=1 \\\\
                        ,<2
                    tiny-other; python_version >= "3.8"
                    tiny-absent; python_version < "3.0"
                    """
                )


        try:
            from . import routes  # the last: it needs what is above
        except ImportError:
            pass
    ''',
    "hello/routes.py": "import flask_that_is_absent\n\nBLUEPRINT = 1\n",
    "hello/greeting.txt": "hello\n",
}


def plugin(name: str, version: str, requirements: str = "", *, members: str = "") -> str:
    return (
        "from qhana_plugin_runner.util.plugins import QHAnaPluginBase\n"
        f"class P(QHAnaPluginBase):\n    name = {name!r}\n    version = {version!r}\n"
        f"    def get_requirements(self):\n        return {requirements!r}\n{members}"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


@pytest.fixture
def write(folder: Path) -> Callable[[dict[str, str]], None]:
    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True, parents=True)
            (folder / name).write_text(textwrap.dedent(text))

    return write


@pytest.fixture
def libraries(index: Any, make_wheel: Any) -> None:
    """An index that has `tiny-lib` in three versions, and `tiny-other`."""
    files = {"tiny_lib.py": "VALUE = 'a value'\n"}
    index.add(
        *(make_wheel("tiny-lib", version, files=files) for version in ("1.0", "1.5", "2.0")),
        make_wheel("tiny-other", "3.0", files={}),
    )


Install = Callable[..., InstallReport]


@pytest.fixture
def install_here(here: Any, folder: Path) -> Install:
    def run(*names: str, dry_run: bool = False, **settings: Any) -> InstallReport:
        named = here.settings.model_copy(update={"plugin_folders": (folder,), **settings})
        progress = Progress(here.phases.append)
        return install(named, here.ledger, progress, names=names, dry_run=dry_run)

    return run


def by_name(report: InstallReport) -> dict[str, Installation]:
    return {installation.plugin.identifier or "?": installation for installation in report.installations}


def run_in(here: Any, installation: Installation, code: str) -> str:
    with here.ledger.reading() as tx:
        environment = get_environment(tx, installation.environment_id)
    assert environment is not None
    words = [f"{environment.path}/bin/python", "-I", "-c", code]
    return subprocess.run(words, capture_output=True, text=True, check=True, cwd="/").stdout.strip()


@pytest.mark.usefixtures("libraries")
def test_plugin_of_the_usual_form_is_installed_with_what_it_needs(
    here: Any, write: Any, install_here: Install
) -> None:
    write(REALISTIC)
    [done] = install_here().installations
    assert done.problem is None
    assert done.packages == ("plugin-hello-world==0.2.1", "tiny-lib==1.5", "tiny-other==3.0")
    assert done.difference.added == done.packages
    assert (done.plugin.state, done.plugin.identifier) == ("ready", "hello-world@v0-2-1")
    with here.ledger.reading() as tx:
        [package] = list_packages(tx)
    assert (package.id, package.origin, package.tasks) == (done.plugin.package_id, "plugin", 0)
    assert package.source == done.plugin.location
    code = (
        "import hello, pathlib; from qhana_plugin_runner.util.plugins import QHAnaPluginBase as B; "
        "print(*B.get_plugins(), pathlib.Path(hello.__file__).with_name('greeting.txt').read_text())"
    )
    assert run_in(here, done, code) == "hello-world@v0-2-1 hello"


@pytest.mark.usefixtures("libraries")
def test_two_versions_and_contradicting_requirements_live_side_by_side(
    here: Any, write: Any, install_here: Install
) -> None:
    write(
        {
            "p1/__init__.py": plugin("p", "1", "tiny-lib==1.0"),
            "p2/__init__.py": plugin("p", "2", "tiny-lib==2.0"),
            "other.py": plugin("q", "1", "tiny-lib<2"),
        }
    )
    report = install_here()
    assert not report.failed
    found = by_name(report)
    shown = "from importlib.metadata import version; print(version('tiny-lib'))"
    assert {name: run_in(here, done, shown) for name, done in found.items()} == {
        "p@1": "1.0",
        "p@2": "2.0",
        "q@1": "1.5",
    }
    assert report.differing == {"tiny-lib": {"1.5": ["q@1"], "1.0": ["p@1"], "2.0": ["p@2"]}}
    assert len(here.environments) == 3


@pytest.mark.usefixtures("libraries")
def test_one_that_fails_is_named_with_its_line_and_hinders_no_other(
    here: Any, write: Any, install_here: Install
) -> None:
    write(
        {
            "bad.py": plugin("bad", "1", "tiny-other\ntiny-lib==9\n"),
            "odd.py": plugin("odd", "1", "tiny-other\n-r more.txt\n"),
            "broken.py": "def\n",
            "good.py": plugin("good", "1", "tiny-lib"),
        }
    )
    report = install_here()
    assert report.failed
    found = by_name(report)
    assert found["good@1"].plugin.state == "ready"
    bad = found["bad@1"].problem
    assert bad is not None
    assert "line 2, tiny-lib==9" in bad.what
    assert "line 1" not in bad.what
    assert "tiny-lib==9" in bad.detail
    assert "Line 2, -r more.txt: options of pip" in str(found["odd@1"].problem)
    assert "broken.py, line 1" in str(found["?"].problem)
    with here.ledger.reading() as tx:
        states = {Path(entry.location).name: entry.state for entry in list_plugins(tx)}
    assert states == {"bad.py": "broken", "broken.py": "broken", "good.py": "ready", "odd.py": "broken"}
    assert not install_here("good").failed


@pytest.mark.usefixtures("libraries")
def test_failure_stays_on_record_until_the_plugin_is_mended(
    here: Any, write: Any, install_here: Install, folder: Path
) -> None:
    write({"p.py": plugin("p", "1", "tiny-lib==9")})
    install_here()
    settings = here.settings.model_copy(update={"plugin_folders": (folder,)})
    [found] = scan(settings, here.ledger, Progress(here.phases.append)).plugins
    assert found.state == "broken"
    assert "tiny-lib==9" in (found.problem or "")
    write({"p.py": plugin("p", "1", "tiny-lib==2")})
    [mended] = scan(settings, here.ledger, Progress(here.phases.append)).plugins
    assert (mended.id, mended.state, mended.problem) == (found.id, "found", None)
    assert not install_here().failed


@pytest.mark.usefixtures("libraries")
def test_failure_of_the_index_is_tried_again(
    write: Any, install_here: Install, index: Any, make_wheel: Any
) -> None:
    write({"p.py": plugin("p", "1", "tiny-late")})
    assert install_here().failed
    index.add(make_wheel("tiny-late", "1", files={}))
    [done] = install_here().installations
    assert (done.problem, done.plugin.state, done.plugin.problem) == (None, "ready", None)


@pytest.mark.usefixtures("libraries")
def test_dry_run_shows_what_would_change_and_changes_nothing(
    here: Any, write: Any, install_here: Install
) -> None:
    write({"p.py": plugin("p", "1", "tiny-lib<2\ntiny-other")})
    [would] = install_here(dry_run=True).installations
    assert would.difference.added == ("plugin-p==1", "tiny-lib==1.5", "tiny-other==3.0")
    assert not would.built
    assert here.environments == []
    with here.ledger.reading() as tx:
        assert list_packages(tx) == []
        assert [entry.state for entry in list_plugins(tx)] == ["found"]
    install_here()
    [same] = install_here(dry_run=True).installations
    assert not same.difference
    assert same.built
    write({"p.py": plugin("p", "2", "tiny-lib>=2")})
    [would] = install_here(dry_run=True).installations
    assert would.difference.changed == ("plugin-p 1 -> 2", "tiny-lib 1.5 -> 2.0")
    assert would.difference.removed == ("tiny-other==3.0",)
    assert len(here.environments) == 1
    write({"p.py": plugin("p", "2", "tiny-lib>=9")})
    report = install_here(dry_run=True)
    assert report.failed
    with here.ledger.reading() as tx:
        assert [entry.state for entry in list_plugins(tx)] == ["found"]


@pytest.mark.usefixtures("libraries")
def test_installing_again_uses_what_is_there_and_changed_files_make_another_environment(
    here: Any, write: Any, install_here: Install
) -> None:
    write({"p.py": plugin("p", "1", "tiny-lib")})
    [first] = install_here().installations
    [second] = install_here().installations
    assert second.environment_id == first.environment_id
    assert len(here.environments) == 1
    write({"p.py": plugin("p", "1", "tiny-lib") + "NEW = 'new'\n"})
    [third] = install_here("p").installations
    assert third.plugin.id == first.plugin.id
    assert third.plugin.package_id == first.plugin.package_id
    assert run_in(here, third, "import p; print(p.NEW)") == "new"


@pytest.mark.usefixtures("libraries")
def test_what_is_not_literal_is_learnt_once_by_importing_it_alone_and_without_secrets(
    here: Any, write: Any, install_here: Install, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "s3cret")
    monkeypatch.setenv("UV_INDEX_X_PASSWORD", "s3cret")
    write(
        {
            "p/__init__.py": """
                import os
                import tiny_lib
                from importlib.metadata import version as version_of
                from qhana_plugin_runner.util.plugins import QHAnaPluginBase

                class P(QHAnaPluginBase):
                    name = "p"
                    version = version_of("tiny-lib")
                    description = " ".join(sorted(os.environ)) + str(os.environ)
                    tags = [tiny_lib.VALUE]

                    def get_requirements(self):
                        return "tiny-lib==2.0"
            """
        }
    )
    [would] = install_here(dry_run=True).installations
    assert would.plugin.identifier == "p@2-0"
    assert here.environments == []
    metadata = would.plugin.description["reading"]["metadata"]
    assert metadata["derived"]
    assert metadata["unknown"] == []
    assert metadata["tags"] == ["a value"]
    assert "PATH" in metadata["description"]
    assert "s3cret" not in json.dumps(would.plugin.description)
    assert f"'HOME': '{Path.home()}'" not in metadata["description"]
    here.phases.clear()
    [done] = install_here().installations
    assert done.packages == ("plugin-p==2.0", "tiny-lib==2.0")
    assert not any("importing" in phase for phase in here.phases)
    settings = here.settings.model_copy(update={"plugin_folders": (folder,)})
    [again] = scan(settings, here.ledger, Progress(here.phases.append)).plugins
    assert (again.identifier, again.state) == ("p@2-0", "ready")


@pytest.mark.usefixtures("libraries")
def test_requirements_that_are_computed_are_learnt_too(write: Any, install_here: Install) -> None:
    write(
        {
            "p/__init__.py": """
                from pathlib import Path
                from qhana_plugin_runner.util.plugins import QHAnaPluginBase

                class P(QHAnaPluginBase):
                    name = "p"
                    version = "1"

                    def get_requirements(self):
                        return (Path(__file__).parent / "requirements.txt").read_text()
            """,
            "p/requirements.txt": "tiny-lib==1.0\n",
        }
    )
    [done] = install_here().installations
    assert done.packages == ("plugin-p==1", "tiny-lib==1.0")


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("import module_that_is_absent", "No module named 'module_that_is_absent'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(7)", "ended with status 7"),
        ("import time; time.sleep(600)", "took longer than 1 seconds"),
    ],
)
def test_plugin_that_cannot_be_imported_shows_why(
    write: Any, install_here: Install, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    if "sleep" in line:
        monkeypatch.setattr(derived, "_SECONDS", 1)
    write({"p.py": f"{line}\n" + plugin("p", "1") + "    version = str(1)\n"})
    [done] = install_here().installations
    assert done.problem is not None
    assert "p.py cannot be imported, and nothing else tells its version" in done.problem.what
    assert problem in done.problem.detail
    assert done.plugin.state == "broken"


@pytest.mark.usefixtures("libraries")
def test_description_that_cannot_be_learnt_hinders_no_installation(
    here: Any, write: Any, install_here: Install
) -> None:
    write(
        {"p.py": "import absent\n" + plugin("p", "1", "tiny-lib", members="    description = absent.TEXT\n")}
    )
    [done] = install_here().installations
    assert (done.problem, done.plugin.state) == (None, "ready")
    assert any("importing p.py to learn its description" in phase for phase in here.phases)
    assert done.plugin.description["reading"]["metadata"]["unknown"] == ["description"]


@pytest.mark.usefixtures("libraries")
def test_identifier_that_turns_out_to_be_anothers_is_an_error(write: Any, install_here: Install) -> None:
    write({"a.py": plugin("p", "1"), "b.py": plugin("p", "x") + "    version = str(1)\n"})
    found = {Path(done.plugin.location).name: done for done in install_here().installations}
    assert found["a.py"].problem is None
    assert "p@1 is at 2 places" in str(found["b.py"].problem)
    problems = [str(done.problem) for done in install_here().installations]
    assert all("p@1 is at 2 places" in problem for problem in problems)


def test_project_is_collected_as_the_task_package_that_it_is(
    here: Any, write: Any, install_here: Install
) -> None:
    manifest = {
        "manifest_version": "2",
        "task_list": [{"name": "Measure", "executable_parallel": "m.py"}],
    }
    write(
        {
            "tasks/pyproject.toml": """
                [project]
                name = "folder-tasks"
                version = "1.0"
                [build-system]
                requires = ["uv_build>=0.12,<0.15"]
                build-backend = "uv_build"
            """,
            "tasks/src/folder_tasks/__init__.py": "",
            "tasks/src/folder_tasks/m.py": "",
            "tasks/src/folder_tasks/__FRACTAL_MANIFEST__.json": json.dumps(manifest),
        }
    )
    [done] = install_here().installations
    assert done.problem is None
    assert (done.plugin.kind, done.plugin.state) == ("project", "ready")
    with here.ledger.reading() as tx:
        [package] = list_packages(tx)
    assert (package.name, package.origin, package.tasks) == ("folder-tasks", "folder", 1)


def test_name_that_nothing_has_is_refused_with_those_that_are_there(
    write: Any, install_here: Install
) -> None:
    write({"p.py": plugin("p", "1")})
    with pytest.raises(UnknownName, match="no plugin named 'q'") as caught:
        install_here("q")
    assert "p@1" in caught.value.remedy

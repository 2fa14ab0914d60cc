"""The page "Bring your tasks": its files are written, and its commands run, as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

CLONE = Path(__file__).parents[3]
DOCS = CLONE / "docs"
PAGE = (DOCS / "pages" / "how-to" / "bring-your-tasks.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def block(section: str, language: str) -> str:
    """The only block of a language in a section, with what it includes."""
    [text] = [body for kind, body in BLOCK.findall(SECTIONS[section]) if kind == language]
    included = re.fullmatch(r'--8<-- "(.*)"\n', text)
    return (DOCS / included[1]).read_text() if included else text


def commands(section: str) -> list[list[str]]:
    """The words of the commands of a section, without `treadle`."""
    return [shlex.split(line)[2:] for line in block(section, "console").splitlines()]


def write_project(folder: Path, functions: str, pyproject: str) -> None:
    package = folder / "src" / "table_tasks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(functions)
    (folder / "pyproject.toml").write_text(pyproject)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with what the page begins with."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_project(
        folder / "table-tasks", block("From a function", "python"), block("From a function", "toml")
    )
    (folder / "count_rows.py").write_text(block("From a script", "python"))
    (folder / "tasks").symlink_to(CLONE / "tasks")
    tables = folder / "tables"
    tables.mkdir()
    (tables / "a.csv").write_text("weight,height\n1,10\n2,30\n")
    (tables / "b.csv").write_text("weight,height\n4,50\n")
    (tables / "none.csv").write_text("weight,height\n")
    return folder


def step(package: str, version: str, name: str, part: str, **args: object) -> dict[str, Any]:
    return {"task": {"pkg_name": package, "version": version, "name": name}, part: args}


def test_functions_of_the_page_are_checked_collected_and_run(
    treadle: Command, prepare: Callable[..., tuple[str, str]], here: Path
) -> None:
    check, collect, show = commands("From a function")
    assert "table-tasks 0.3 is in order." in treadle(*check, as_json=False).stdout
    treadle(*collect)
    shown = treadle(*show, as_json=False).stdout
    assert "Average Column: parallel task of table-tasks 0.3" in shown
    assert "Digits after the decimal point." in shown
    workflow, dataset = prepare(
        step(
            "table-tasks",
            "0.3",
            "List Tables",
            "args_non_parallel",
            folder=str(here / "tables"),
            pattern="?.csv",
        ),
        step("table-tasks", "0.3", "Average Column", "args_parallel", column="height", digits=1),
    )

    run = treadle("run", workflow, "--dataset", dataset).data

    assert run["state"] == "done"
    items = treadle("dataset", "show", dataset).data["items"]
    assert [item["attributes"] for item in items] == [{"mean": 20.0}, {"mean": 50.0}]


def test_decorated_function_of_the_page_is_named_by_its_module(
    treadle: Command, prepare: Callable[..., tuple[str, str]], here: Path
) -> None:
    [entry_point] = re.findall(r'`(all = "table_tasks")`', SECTIONS["Say more with a decorator"])
    functions = block("From a function", "python") + block("Say more with a decorator", "python")
    pyproject = block("From a function", "toml").replace('version = "0.3"', 'version = "0.4"')
    pyproject = pyproject.replace("[build-system]", f"{entry_point}\n\n[build-system]")
    write_project(here / "marked", functions, pyproject)
    collected = treadle("collect", "./marked").data
    assert {task["name"] for task in collected["tasks"]} == {
        "Average Column",
        "List Tables",
        "Remove Empty Tables",
    }
    workflow, dataset = prepare(
        step("table-tasks", "0.4", "List Tables", "args_non_parallel", folder=str(here / "tables")),
        step("table-tasks", "0.4", "Remove Empty Tables", "args_non_parallel"),
    )

    treadle("run", workflow, "--dataset", dataset)

    items = treadle("dataset", "show", dataset).data["items"]
    assert [Path(item["zarr_url"]).name for item in items] == ["a", "b"]


def test_script_of_the_page_is_collected_and_run(
    treadle: Command, prepare: Callable[..., tuple[str, str]], here: Path
) -> None:
    [collect] = commands("From a script")
    package = treadle(*collect).data["package"]
    assert (package["name"], package["version"], package["origin"]) == ("count-rows", "1.0", "script")
    treadle("collect", "./table-tasks")
    workflow, dataset = prepare(
        step("table-tasks", "0.3", "List Tables", "args_non_parallel", folder=str(here / "tables")),
        step("count-rows", "1.0", "Count Rows", "args_parallel"),
    )

    treadle("run", workflow, "--dataset", dataset)

    items = treadle("dataset", "show", dataset).data["items"]
    assert [item["attributes"]["rows"] for item in items] == [2, 1, 0]


@pytest.mark.usefixtures("here")
def test_packages_of_the_page_are_collected(treadle: Command) -> None:
    public, check, folder = commands("From a package")

    tasks = treadle(*public).data["tasks"]
    assert {"name": "Project Image", "type": "parallel"} in tasks
    assert "is in order" in treadle(*check, as_json=False).stdout
    assert treadle(*folder).data["package"]["origin"] == "folder"


def test_repositories_of_the_page_are_collected_at_their_commits(
    treadle: Command, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "Somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    lab = here / "git" / "lab"
    repositories = {"table-tasks.git": (".", "v0.3"), "analysis.git": ("table-tasks", "main")}
    commits = []
    for repository, (subdirectory, ref) in repositories.items():
        folder = lab / repository
        write_project(
            folder / subdirectory, block("From a function", "python"), block("From a function", "toml")
        )
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", f"Make {repository}")
        if ref != "main":
            git(folder, "tag", ref)
        commits.append(git(folder, "rev-parse", "HEAD"))

    for words, commit in zip(commands("From git"), commits, strict=True):
        words[-1] = re.sub(r"://(git@)?git\.example\.org", f"://{here}/git", words[-1])
        words[-1] = re.sub(r"^git\+\w+:", "git+file:", words[-1])
        package = treadle(*words).data["package"]
        assert (package["name"], package["origin"]) == ("table-tasks", "git")
        assert package["version"] == f"0.3+git.{commit[:12]}"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", folder, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_environment_that_is_there_already_is_used_as_the_page_says(treadle: Command, here: Path) -> None:
    lab = here / "opt" / "lab"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", lab], check=True)
    [site] = lab.glob("lib/python*/site-packages")
    (site / "lab_tasks").mkdir()
    (site / "lab_tasks" / "__init__.py").write_text("")
    (site / "lab_tasks" / "measure.py").write_text("")
    (here / "manifest.json").write_text(
        '{"manifest_version": "2", "task_list": [{"name": "Measure", "executable_parallel": "measure.py"}]}'
    )
    [words] = commands("Tasks that are installed already")

    package = treadle(*(word.replace("/opt/lab", str(lab)) for word in words)).data["package"]

    assert (package["name"], package["version"]) == ("lab-tasks", "1.0")
    assert (package["origin"], package["root"]) == ("custom", str(site / "lab_tasks"))

"""The pages say what is so: their commands exist, their examples are read by the code they are about."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from treadle.cache.caches.base import BaseCache
from treadle.cache.config import load, read_configuration
from treadle.cli import app
from treadle.model.resources import resources_from_meta
from treadle.model.task import Part
from treadle.model.workflow import workflow_from_json
from treadle.settings import load_settings

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"
PAGES = sorted((DOCS / "pages").rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def console_commands() -> list[str]:
    texts = [path.read_text() for path in (*PAGES, DOCS.parent / "README.md")]
    found = [
        line for text in texts for line in re.findall(r"(?:^\$ |uv run )(treadle .*)$", text, re.MULTILINE)
    ]
    return sorted(set(found))


@pytest.mark.parametrize("line", console_commands())
def test_command_of_the_pages_is_one_that_the_command_line_takes(line: str) -> None:
    name, *words = shlex.split(line, comments=True)
    command = typer.main.get_command(app)
    while words and words[0] in (commands := getattr(command, "commands", {})):
        name, *words = words
        command = commands[name]
    with contextlib.suppress(typer.Exit):  # what --help ends with
        command.make_context(name, words)


def test_pages_name_commands_at_all() -> None:
    assert len(console_commands()) > 10


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("workflow*.json")), ids=lambda path: path.name)
def test_example_workflow_is_a_workflow(path: Path) -> None:
    assert workflow_from_json(json.loads(path.read_text())).steps


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(DOCS / "pages")))
def test_code_blocks_are_run_included_or_parsed(path: Path) -> None:
    """Python runs as a test of its own; output is included from a recording; commands are parsed here."""
    for language, body in BLOCK.findall(path.read_text()):
        if language == "console":
            assert all(line.startswith("$ treadle ") for line in body.splitlines())
        elif language in {"text", "json", "toml", "py"} and "└─" not in body:
            assert re.fullmatch(r'--8<-- "(captured|examples|generated)/[\w./-]+"\n', body)
        else:
            assert language in {"python", "sh", "text"}


def test_the_example_of_a_cluster_is_one_that_settings_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    (tmp_path / "treadle.toml").write_text((EXAMPLES / "cluster.toml").read_text())
    profile = load_settings(folder=tmp_path).cluster("slurm")
    assert (profile.defaults.partition, profile.gpu.partition) == ("short", "gpu")
    assert profile.force.given() == {"account": "imaging", "constraint": None}


def test_the_example_of_a_cluster_behind_ssh_is_one_that_settings_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    (tmp_path / "treadle.toml").write_text((EXAMPLES / "cluster-ssh.toml").read_text())
    profile = load_settings(folder=tmp_path).cluster("slurm")
    assert profile.host == "workstation.example"
    assert profile.ssh is not None
    assert (profile.ssh.host, profile.ssh.user) == ("login.example", "jane")


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("cache", ["Stack", "Limited", "ReadOnly"]),
        ("cache-ssh", ["Stack", "Ssh"]),
        ("cache-storages", ["Limited"]),
    ],
)
def test_the_examples_of_caches_are_ones_that_the_cache_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, described: list[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "fleche.toml").write_text((EXAMPLES / f"{name}.toml").read_text())
    tables = [table for table in read_configuration(tmp_path).tables if table != "default"]
    caches = [load(table, start=tmp_path) for table in tables]
    kinds = {type(layer).__name__ for cache in caches for layer in every_layer(cache)}
    assert set(described) <= kinds


def every_layer(cache: BaseCache) -> list[BaseCache]:
    return [cache, *(below for layer in cache.layers for below in every_layer(layer))]


def test_the_example_of_branches_is_a_workflow_that_branches_and_joins() -> None:
    workflow = workflow_from_json(json.loads((EXAMPLES / "branches.json").read_text()))

    assert [step.needs for step in workflow.ordered()] == [(), ("import",), ("import",), ("focus", "segment")]


def test_the_examples_of_a_steps_keys_are_what_a_workflow_takes() -> None:
    """They stand alone on the page; here they stand in a workflow."""
    keys = json.loads((EXAMPLES / "policy.json").read_text())
    limits = json.loads((EXAMPLES / "limits.json").read_text())
    step = {"task": {"pkg_name": "tasks", "name": "measure"}, "meta_parallel": limits, **keys}
    [read] = workflow_from_json({"name": "w", "task_list": [step]}).steps
    assert (read.retries.attempts, read.on_failure, read.failure_threshold) == (3, "continue", 0.05)
    assert resources_from_meta({}, read.meta(Part.PARALLEL)).timeout_seconds == 600

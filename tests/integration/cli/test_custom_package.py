"""Tasks that somebody else has installed: an interpreter and a manifest, of which nothing is built."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

SCRIPT = """
    import json, sys

    args_json, out_json = sys.argv[2], sys.argv[4]
    given = json.load(open(args_json))
    print("prefix", sys.prefix)
    made = [{"zarr_url": given["zarr_dir"] + "/a"}]
    json.dump({"image_list_updates": made}, open(out_json, "w"))
"""


@dataclass(frozen=True)
class Elsewhere:
    """An environment with a package `hand_made`, and a manifest apart from both."""

    prefix: Path
    manifest: Path

    @property
    def python(self) -> Path:
        return self.prefix / "bin" / "python"

    @property
    def root(self) -> Path:
        [site] = self.prefix.glob("lib/python*/site-packages")
        return site / "hand_made"

    def words(self, **changes: str) -> list[str]:
        options = {"interpreter": str(self.python), "name": "Hand_Made", "version": "7.1", **changes}
        return [
            "collect",
            str(self.manifest),
            *(word for key, value in options.items() for word in (f"--{key}", value)),
        ]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Elsewhere:
    prefix = tmp_path / "their environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    found = Elsewhere(prefix, tmp_path / "manifest.json")
    found.root.mkdir()
    (found.root / "__init__.py").write_text("raise RuntimeError('nobody imports this')\n")
    (found.root / "make.py").write_text(textwrap.dedent(SCRIPT))
    task = {"name": "Make", "type": "converter_non_parallel", "executable_non_parallel": "make.py"}
    found.manifest.write_text(json.dumps({"manifest_version": "2", "task_list": [task]}))
    return found


def test_custom_package_runs_on_the_interpreter_that_was_given(
    treadle: Command, prepare: Callable[..., tuple[str, str]], elsewhere: Elsewhere
) -> None:
    before = sorted(elsewhere.prefix.rglob("*"))

    collected = treadle(*elsewhere.words(module="hand_made")).data

    package, environment = collected["package"], collected["environment"]
    assert (package["name"], package["version"], package["origin"]) == ("hand-made", "7.1", "custom")
    assert package["root"] == str(elsewhere.root)
    assert environment["python"] == str(elsewhere.python)
    ref = {"pkg_name": "hand-made", "version": "7.1", "name": "Make"}
    workflow, dataset = prepare({"task": ref, "args_non_parallel": {}})
    run = treadle("run", workflow, "--dataset", dataset).data
    [log] = treadle("logs", str(run["id"])).data["logs"]
    assert (run["state"], f"prefix {elsewhere.prefix}" in log["text"]) == ("done", True)
    assert [path for path in sorted(elsewhere.prefix.rglob("*")) if "__pycache__" not in path.parts] == before


def test_custom_package_may_be_collected_again_with_another_root(
    treadle: Command, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "make.py").write_text("")
    first = treadle(*elsewhere.words(module="hand_made", version="7.2")).data

    second = treadle(*elsewhere.words(root=str(root), version="7.2")).data

    assert second["package"]["id"] == first["package"]["id"]
    assert second["package"]["root"] == str(root)


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({"module": "hand_made", "interpreter": "/no/python"}, 1, "There is no interpreter at /no/python"),
        ({"module": "hand_made", "interpreter": "python3"}, 1, "not an absolute path"),
        ({"module": "no_such_module"}, 2, "knows no package no_such_module"),
        ({"module": "hand_made.below"}, 2, "There is no folder"),
        ({"root": "/no/such/folder"}, 2, "There is no folder /no/such/folder"),
        ({"root": "/usr"}, 1, "not among its files: make.py"),
        ({}, 2, "is given not at all"),
        ({"root": "/usr", "module": "hand_made"}, 2, "is given twice"),
        ({"module": "hand_made", "version": "one"}, 2, "'one' is no version"),
        ({"module": "hand_made", "name": "-"}, 2, "'-' is no name"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_used_is_refused(
    treadle: Command, elsewhere: Elsewhere, changes: dict[str, str], code: int, said: str
) -> None:
    assert said in treadle(*elsewhere.words(**changes), code=code).data["error"]["what"]


def test_options_of_custom_packages_go_together(treadle: Command, elsewhere: Elsewhere) -> None:
    def refused(*words: str) -> Any:
        return treadle("collect", str(elsewhere.manifest), *words, code=2).data["error"]["what"]

    assert refused("--root", "/usr") == "--root goes with --interpreter only."
    assert refused("--interpreter", str(elsewhere.python)) == "--interpreter needs a name and a version."
    for option in ("--dry-run", "--editable"):
        assert "no option of a build" in refused("--interpreter", str(elsewhere.python), option)


def test_manifest_that_is_not_there_is_refused(treadle: Command, elsewhere: Elsewhere) -> None:
    elsewhere.manifest.unlink()

    answer = treadle(*elsewhere.words(module="hand_made"), code=2).data

    assert "manifest.json" in answer["error"]["what"]

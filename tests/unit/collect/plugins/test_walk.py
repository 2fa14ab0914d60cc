"""What counts in a plugin folder, and which of a plugin's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from treadle.collect.plugins.reading import read
from treadle.collect.plugins.walk import candidates, content_digest, plugin_files
from treadle.errors import SourceInvalid

PLUGIN = (
    "from qhana_plugin_runner.util.plugins import QHAnaPluginBase\n"
    "class P(QHAnaPluginBase):\n    name = 'p'\n    version = '1'\n"
)
SCRIPT = (
    "# /// script\n# requires-python = '>=3.11'\n# dependencies = ['numpy', 'tifffile']\n"
    "# [tool.treadle]\n# version = '2.1'\n# ///\nprint('hello')\n"
)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_files_with_one_suffix_packages_and_projects_count(write: Any) -> None:
    folder = write(
        {
            "b.py": "",
            "a.py": "",
            "two.suffixes.py": "",
            ".hidden.py": "",
            "notes.txt": "",
            "package/__init__.py": "",
            "package/inner/__init__.py": "",
            "plain/module.py": "",
            ".hidden/__init__.py": "",
            "project/pyproject.toml": "",
            "my-plugin/__init__.py": "",
        }
    )
    assert names(candidates(folder)) == ["a.py", "b.py", "my-plugin", "package", "project"]


def test_folder_with_an_init_file_is_one_package_and_a_file_is_taken_as_it_is(write: Any) -> None:
    folder = write({"__init__.py": "", "a.py": "", "b/__init__.py": "", "any.name.txt": ""})
    assert candidates(folder) == [folder]
    assert names(candidates(folder / "a.py")) == ["a.py"]


def test_kinds_are_told_apart(write: Any) -> None:
    folder = write(
        {
            "p.py": PLUGIN,
            "both.py": SCRIPT + PLUGIN,
            "s.py": SCRIPT,
            "bare.py": "# /// script\n# ///\n",
            "x.py": "y = 1\n",
            "broken_script.py": SCRIPT + "def\n",
            "project/pyproject.toml": "[project]\nname = 'things'\nversion = '3'\ndependencies = ['zarr']\n",
            "bad/pyproject.toml": "[project\n",
        }
    )
    found = {path.name: read(path) for path in candidates(folder)}
    kinds = {name: (reading.kind, reading.problem is None) for name, reading in found.items()}
    assert kinds == {
        "p.py": ("plugin", True),
        "both.py": ("plugin", True),
        "s.py": ("script", True),
        "bare.py": ("plugin", False),
        "x.py": ("plugin", False),
        "broken_script.py": ("script", False),
        "project": ("project", True),
        "bad": ("project", False),
    }
    script, project = found["s.py"].metadata, found["project"].metadata
    assert (script.name, script.version, script.requirements) == ("s", "2.1", "numpy\ntifffile")
    assert (project.name, project.version, project.requirements) == ("things", "3", "zarr")
    assert "def" in str(found["broken_script.py"].problem)
    assert "bad/pyproject.toml" in str(found["bad"].problem)


def test_digest_is_of_names_and_contents_that_count(write: Any) -> None:
    folder = write({"p/__init__.py": PLUGIN, "p/data/table.csv": "1\n"})
    before = content_digest(folder / "p", boundary=folder)
    write({"p/__pycache__/x.pyc": "x", "p/.cache": "x", "p/data/.hidden/x": "x"})
    assert content_digest(folder / "p", boundary=folder) == before
    assert [name for name, _ in plugin_files(folder / "p", boundary=folder)] == [
        "p/__init__.py",
        "p/data/table.csv",
    ]
    write({"p/data/table.csv": "2\n"})
    after = content_digest(folder / "p", boundary=folder)
    (folder / "p" / "data" / "table.csv").rename(folder / "p" / "data" / "other.csv")
    assert len({before, after, content_digest(folder / "p", boundary=folder)}) == 3


def test_what_a_build_leaves_in_a_project_does_not_count(write: Any) -> None:
    folder = write({"project/pyproject.toml": "", "project/a/build/x.py": "", "project/setup.py": ""})
    before = content_digest(folder / "project", boundary=folder)
    write({"project/build/lib/x.py": "", "project/a.egg-info/PKG-INFO": "", "project/env/pyvenv.cfg": ""})
    assert content_digest(folder / "project", boundary=folder) == before
    assert "project/a/build/x.py" in dict(plugin_files(folder / "project", boundary=folder))


def test_link_may_lead_to_a_file_of_the_same_folder_only(write: Any, tmp_path: Path) -> None:
    folder = write({"p/__init__.py": PLUGIN, "shared.csv": "1\n"})
    (folder / "p" / "table.csv").symlink_to("../shared.csv")
    assert content_digest(folder / "p", boundary=folder)
    (tmp_path / "secret").write_text("x")
    (folder / "p" / "secret").symlink_to(tmp_path / "secret")
    with pytest.raises(SourceInvalid, match="p/secret is a link"):
        content_digest(folder / "p", boundary=folder)
    (folder / "p" / "secret").unlink()
    (folder / "p" / "all").symlink_to(folder)
    with pytest.raises(SourceInvalid, match="p/all is a link to a folder"):
        content_digest(folder / "p", boundary=folder)

"""Wheels of plugins: what is in them, and that equal files make equal bytes."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from treadle.collect.plugins.compatibility import compatibility_files
from treadle.collect.plugins.walk import plugin_files
from treadle.collect.plugins.wheel import write_wheel
from treadle.errors import SourceInvalid


def make(folder: Path, plugin: Path) -> Path:
    folder.mkdir()
    files = [*plugin_files(plugin, boundary=plugin.parent), *compatibility_files()]
    return write_wheel(
        folder,
        name="plugin-hello-world",
        version="0.2.1",
        summary="A\nplugin.",
        requires=["numpy>=1", 'tomli; python_version < "3.11"'],
        files=files,
    )


def test_wheel_holds_files_requirements_and_the_names_that_plugins_import(write: Any, tmp_path: Path) -> None:
    folder = write(
        {"hello/__init__.py": "x = 1\n", "hello/data/a,b.csv": "1\n", "hello/__pycache__/x.pyc": ""}
    )
    wheel = make(tmp_path / "out", folder / "hello")
    assert wheel.name == "plugin_hello_world-0.2.1-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    assert [name for name in content if name.startswith("hello/")] == [
        "hello/__init__.py",
        "hello/data/a,b.csv",
    ]
    assert "qhana_plugin_runner/util/plugins.py" in content
    assert content["plugin_hello_world-0.2.1.dist-info/METADATA"].decode() == (
        "Metadata-Version: 2.1\nName: plugin-hello-world\nVersion: 0.2.1\nSummary: A plugin.\n"
        'Requires-Dist: numpy>=1\nRequires-Dist: tomli; python_version < "3.11"\n'
    )
    record = content.pop("plugin_hello_world-0.2.1.dist-info/RECORD").decode()
    rows = {row[0]: row[1:] for row in csv.reader(record.splitlines())}
    assert rows.pop("plugin_hello_world-0.2.1.dist-info/RECORD") == ["", ""]
    for name, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert rows.pop(name) == [f"sha256={digest}", str(len(data))]
    assert rows == {}


def test_equal_files_make_equal_bytes_whenever_and_by_whomever(write: Any, tmp_path: Path) -> None:
    plugin = write({"hello.py": "x = 1\n"}) / "hello.py"
    first = make(tmp_path / "one", plugin).read_bytes()
    os.utime(plugin, (1, 1))
    plugin.chmod(0o700)
    assert make(tmp_path / "two", plugin).read_bytes() == first
    plugin.write_text("x = 2\n")
    assert make(tmp_path / "three", plugin).read_bytes() != first


def test_plugin_cannot_take_the_place_of_what_plugins_import(write: Any, tmp_path: Path) -> None:
    plugin = write({"qhana_plugin_runner/__init__.py": "x = 1\n"}) / "qhana_plugin_runner"
    with pytest.raises(SourceInvalid, match=r"qhana_plugin_runner/__init__\.py is a file of Treadle's own"):
        make(tmp_path / "out", plugin)

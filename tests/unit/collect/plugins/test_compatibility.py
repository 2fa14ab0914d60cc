"""The names that plugins import: registration, versions, and nothing beside."""

from __future__ import annotations

import ast
import importlib.util
import itertools
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

from treadle.collect.plugins import ask_plugin
from treadle.collect.plugins.compatibility import compatibility_files
from treadle.collect.plugins.identifiers import plugin_identifier

VERSIONS = [
    "0.1",
    "v0.10",
    "0.2",
    "1.dev1",
    "1.0a1.dev2",
    "1.0a1",
    "1.0-alpha.2",
    "1.0b3",
    "1.0rc1",
    "1.0",
    "1.0+local.1",
    "1.0+local.a",
    "1.0.post1.dev1",
    "1.0-1",
    "1.0.post2",
    "1.0.1",
    "1!0.1",
]


@pytest.fixture
def base() -> ModuleType:
    """The module of the base class, new for each test."""
    path = dict(compatibility_files())["qhana_plugin_runner/util/plugins.py"]
    spec = importlib.util.spec_from_file_location("base_of_plugins", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_class_makes_and_registers_its_one_object(base: ModuleType) -> None:
    made: list[object] = []

    class Plugin(base.QHAnaPluginBase):  # type: ignore[misc, name-defined]
        name = "hello.world"
        version = "v0.2.1"

        def __init__(self, app: object) -> None:
            made.append(app)
            super().__init__(app)

        def get_api_blueprint(self) -> str:
            return "blueprint"

    assert made == [None]
    assert base.QHAnaPluginBase.get_plugins() == {"hello-world@v0-2-1": Plugin.instance}
    assert Plugin.instance.identifier == plugin_identifier("hello.world", "v0.2.1")
    assert Plugin.has_api
    assert Plugin.instance.app is None
    with pytest.raises(NotImplementedError):
        Plugin.instance.get_requirements()


def test_class_without_a_name_is_there_to_derive_from(base: ModuleType) -> None:
    class Shared(base.QHAnaPluginBase):  # type: ignore[misc, name-defined]
        version = "1"

    assert base.QHAnaPluginBase.get_plugins() == {}

    class Plugin(Shared):
        name = "p"

    assert list(base.QHAnaPluginBase.get_plugins()) == ["p@1"]
    assert not Plugin.has_api


def test_same_identifier_twice_is_an_error(base: ModuleType) -> None:
    members = {"name": "p", "version": "1"}
    type("One", (base.QHAnaPluginBase,), members)
    with pytest.raises(ValueError, match="two plugins are p@1"):
        type("Two", (base.QHAnaPluginBase,), members)


def test_versions_compare_as_in_pep_440(base: ModuleType) -> None:
    for one, other in itertools.product(VERSIONS, repeat=2):
        older = base.parse_version(one) < base.parse_version(other)
        assert older == (Version(one) < Version(other)), (one, other)
    assert base.parse_version("1.0") == base.parse_version("v1.0.0")
    with pytest.raises(ValueError, match="'new' is no version"):
        base.parse_version("new")


def test_only_the_standard_library_of_python_39_is_used() -> None:
    files = [path for _, path in compatibility_files()] + [Path(ask_plugin.__file__)]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names
    vermin = Path(sysconfig.get_path("scripts"), "vermin")
    words = [vermin, "--target=3.9-", "--violations", "--no-tips", "--processes=1", *files]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_names_that_are_not_there_are_absent() -> None:
    assert [name for name, _ in compatibility_files()] == [
        "qhana_plugin_runner/__init__.py",
        "qhana_plugin_runner/util/__init__.py",
        "qhana_plugin_runner/util/plugins.py",
    ]

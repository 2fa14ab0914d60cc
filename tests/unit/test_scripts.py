"""Which modules are scripts, and which file a script or notebook is."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from treadle.scripts import file_of, find_script, is_script, note_script


def loaded(monkeypatch: pytest.MonkeyPatch, name: str, file: str | None, *, has_path: bool) -> str:
    module = ModuleType(name)
    if file is not None:
        module.__file__ = file
    if has_path:
        module.__path__ = ["/somewhere"]
    monkeypatch.setitem(sys.modules, name, module)
    return name


@pytest.mark.parametrize(
    ("file", "has_path", "is_one"),
    [
        ("/flows/nightly.py", True, True),  # so Prefect loads a flow's file
        ("/flows/nightly.py", False, False),
        ("/site/package/__init__.py", True, False),
        ("/site/package/__init__.cpython-311-x86_64-linux-gnu.so", True, False),
        (None, True, False),  # a namespace
    ],
)
def test_a_file_that_prefect_loaded_is_a_script_and_no_package_is(
    monkeypatch: pytest.MonkeyPatch, file: str | None, *, has_path: bool, is_one: bool
) -> None:
    name = loaded(monkeypatch, f"loaded_{abs(hash((file, has_path)))}", file, has_path=has_path)
    assert is_script(name) is is_one


def test_what_runs_and_what_is_noted_are_scripts() -> None:
    note_script("noted_before_it_is_imported")
    names = ("__main__", "__mp_main__", "noted_before_it_is_imported", "os", "not_there")
    assert [is_script(name) for name in names] == [True, True, True, False, False]


def test_a_script_is_found_by_its_file_whatever_leads_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file, link = tmp_path / "study.py", tmp_path / "link.py"
    file.touch()
    link.symlink_to(file)
    name = loaded(monkeypatch, "study_that_is_found", str(link), has_path=False)
    assert find_script(str(file)) is None
    note_script(name)
    assert find_script(str(file)) is sys.modules[name]


def test_a_notebook_is_the_file_that_its_editor_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert file_of({}) is None
    assert file_of({"__vsc_ipynb_file__": "/books/one.ipynb"}) == os.path.realpath("/books/one.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", "/books/two.ipynb")
    assert file_of({}) == os.path.realpath("/books/two.ipynb")
    assert file_of({"__file__": "/books/helper.py"}) == os.path.realpath("/books/helper.py")

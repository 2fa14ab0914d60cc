"""Plugins through the command: scanned, listed, shown and installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from treadle.testing.command import Command

pytestmark = pytest.mark.integration

PLUGIN = '''
from qhana_plugin_runner.util.plugins import QHAnaPluginBase


class Hello(QHAnaPluginBase):
    name = "hello"
    version = "{version}"
    description = "Says hello."
    tags = ["greeting"]

    def get_requirements(self):
        return """{requirements}"""
'''


DESCRIBED = """

def describe():
    return PluginMetadata(
        title="Hello",
        type=PluginType.dataloader,
        entry_point=EntryPoint(
            href="./process/",
            data_input=[
                InputDataMetadata(
                    parameter="names", data_type="entity/list", content_type=["text/csv"], required=False
                )
            ],
            data_output=[OutputDataMetadata(data_type="txt", content_type=["text/plain"], required=True)],
        ),
    )
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "one.py").write_text(PLUGIN.format(version="v0.9", requirements=""))
    (folder / "two.py").write_text(PLUGIN.format(version="v0.10", requirements="# nothing\n") + DESCRIBED)
    return folder


@pytest.fixture
def treadle(tmp_path: Path, folder: Path) -> Command:
    return Command(
        tmp_path / "home", {"PLUGIN_FOLDERS": f":{folder}:{tmp_path / 'absent'}", "GIT_PLUGINS": ""}
    )


def test_plugins_are_scanned_listed_and_shown(treadle: Command, folder: Path) -> None:
    assert treadle("plugins", "list").data == {"plugins": []}
    found = treadle("plugins", "scan").data
    assert [entry["identifier"] for entry in found["plugins"]] == ["hello@v0-9", "hello@v0-10"]
    assert [problem["missing"] for problem in found["problems"]] == [True]
    listed = treadle("plugins", "list").data["plugins"]
    assert [(entry["name"], entry["kind"], entry["state"]) for entry in listed] == [
        ("hello", "plugin", "found")
    ] * 2
    shown = treadle("plugins", "show", "hello").data
    assert shown["identifier"] == "hello@v0-10"
    assert (shown["description"], shown["tags"], shown["package"]) == ("Says hello.", ["greeting"], None)
    assert (shown["title"], shown["type"]) == ("Hello", "dataloader")
    assert shown["entryPoint"] == {
        "dataInput": [
            {
                "parameter": "names",
                "dataType": "entity/list",
                "contentType": ["text/csv"],
                "required": False,
            }
        ],
        "dataOutput": [{"dataType": "txt", "contentType": ["text/plain"], "required": True}],
        "pluginDependencies": [],
    }
    assert treadle("plugins", "show", "hello@v0-9").data["location"] == str(folder / "one.py")
    text = treadle("plugins", "show", "hello", as_json=False).stdout
    assert "Says hello." in text
    assert "class Hello in two.py, line 5" in text
    assert "names entity/list (text/csv), optional" in text


def test_broken_plugin_makes_a_scan_fail_and_shows_its_line(treadle: Command, folder: Path) -> None:
    (folder / "broken.py").write_text("x = 1\nclass Broken(:\n")
    answer = treadle("plugins", "scan", code=1, as_json=False)
    assert "broken.py, line 2: invalid syntax" in answer.stdout
    shown = treadle("plugins", "show", str(folder / "broken.py"), as_json=False).stdout
    assert "class Broken(:" in shown
    assert treadle("plugins", "list").code == 0


def test_install_exits_with_one_if_any_fails_and_installs_the_others(
    treadle: Command, folder: Path, tmp_path: Path
) -> None:
    (folder / "bad.py").write_text(PLUGIN.format(version="3", requirements="-r other.txt"))
    dry = treadle("plugins", "install", "--dry-run", code=1)
    outcome = {entry["identifier"]: entry for entry in dry.data["plugins"]}
    assert outcome["hello@v0-9"]["added"] == ["plugin-hello==0.9"]
    assert "Line 1, -r other.txt" in outcome["hello@3"]["problem"]
    assert not list((tmp_path / "home").glob("environments/[!.]*"))
    text = treadle("plugins", "install", code=1, as_json=False)
    assert "hello@v0-9: is installed, 1 distribution." in text.stdout
    assert "  + plugin-hello==0.9" in text.stdout
    assert "hello@3: fails. Its requirements: Line 1, -r other.txt" in text.stdout
    assert "building the environment" in text.stderr
    states = {entry["version"]: entry["state"] for entry in treadle("plugins", "list").data["plugins"]}
    assert states == {"3": "broken", "v0.9": "ready", "v0.10": "ready"}
    packages = treadle("package", "list").data["packages"]
    assert [(entry["name"], entry["version"], entry["origin"]) for entry in packages] == [
        ("plugin-hello", "0.9", "plugin"),
        ("plugin-hello", "0.10", "plugin"),
    ]
    assert treadle("plugins", "show", "hello").data["package"] == {"name": "plugin-hello", "version": "0.10"}
    assert treadle("plugins", "install", "hello@v0-9").data["failed"] is False


def test_name_that_nothing_has_is_refused(treadle: Command) -> None:
    treadle("plugins", "scan")
    for words in (("show", "other"), ("install", "other")):
        assert "'hello@v0-10'" in treadle("plugins", *words, code=2).stderr


def test_options_of_older_callers_are_taken_and_keep_their_meaning(treadle: Command, folder: Path) -> None:
    tested = folder / "tested"
    (tested / "tests").mkdir(parents=True)
    (tested / "__init__.py").write_text(
        PLUGIN.format(version="1.0", requirements="").replace('"hello"', '"tested"')
    )

    report = treadle("plugins", "install", "-d", "-s", "--only-with-tests").data

    assert report["dry_run"]
    assert [entry["identifier"] for entry in report["plugins"]] == ["tested@1-0"]


def test_script_in_a_plugin_folder_is_installed_with_its_tasks(treadle: Command, folder: Path) -> None:
    (folder / "count.py").write_text(
        '# /// script\n# dependencies = []\n#\n# [tool.treadle]\n# version = "0.2"\n# ///\n'
        "from treadle import task\n\n\n@task\ndef count(zarr_url: str) -> None:\n    print(zarr_url)\n"
    )
    treadle("plugins", "scan")

    report = treadle("plugins", "install", "count").data

    assert [entry["problem"] for entry in report["plugins"]] == [None]
    assert [task["name"] for task in treadle("task", "list").data["tasks"]] == ["count"]

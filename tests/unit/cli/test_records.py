"""Commands that read and write the ledger alone: datasets, workflows, packages, runs, settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WORKFLOW = {
    "name": "Small",
    "task_list": [
        {"task": {"pkg_name": "tools", "version": "1.0", "name": "Make"}, "args_non_parallel": {"n": 2}},
        {"task": {"pkg_name": "tools", "version": "1.0", "name": "Use"}, "alias": "use it"},
    ],
}


def test_config_show_gives_each_value_its_source(call, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TREADLE_LEDGER_URL", "postgresql://ana:secret@db/treadle")
    rows = {row["name"]: row for row in call("config", "show", "--json").data["settings"]}
    assert rows["home"]["value"] == str(home)
    assert rows["home"]["source"] == "environment variable TREADLE_HOME"
    assert rows["port"]["source"] == "default"
    assert rows["ledger_url"]["value"] == "postgresql://ana:***@db/treadle"
    table = call("config", "show").out
    assert ":secret@" not in table
    assert all(row["meaning"] in table for row in rows.values())


def test_config_show_ends_with_the_caches_and_their_files(call, tmp_path: Path) -> None:
    file = tmp_path / "fleche.toml"
    file.write_text('[shared]\ntemplate = "sql"\nroot = "r"\nurl = "postgresql://ana:secret@db/calls"\n')
    rows = {row["name"]: row for row in call("config", "show", "--json").data["cache"]}
    assert rows["shared.root"] == {"name": "shared.root", "value": f"{tmp_path}/r", "source": str(file)}
    assert rows["default.cache.calls.type"]["source"] == "default"
    table = call("config", "show").out
    assert "shared.url" in table
    assert ":secret@" not in table
    file.write_text("[shared\n")
    said = call("config", "show")
    assert said.code == 2
    assert f"{file} is not valid TOML" in said.err


def test_dataset_is_created_in_a_folder_listed_and_shown(call, tmp_path: Path) -> None:
    assert call("dataset", "create", "plates", "--dir", "data/../plates").code == 0
    listed = call("dataset", "list", "--json").data["datasets"]
    assert [(entry["name"], entry["items"]) for entry in listed] == [("plates", 0)]
    assert listed[0]["zarr_dir"] == str(tmp_path / "plates")
    assert call("dataset", "show", "plates", "--json").data["items"] == []
    assert "plates" in call("dataset", "list").out


def test_dataset_is_taken_over_from_a_file_under_the_given_name(call, tmp_path: Path) -> None:
    images = [
        {"zarr_url": "/data/a.zarr", "attributes": {"well": "A1"}, "types": {"is_3D": True}},
        {"zarr_url": "/data/b.zarr", "origin": "/data/a.zarr", "types": {"is_3D": False}},
    ]
    (tmp_path / "d.json").write_text(json.dumps({"name": "old", "zarr_dir": "/data", "images": images}))
    call("dataset", "create", "new", "--from", "d.json")
    shown = call("dataset", "show", "new", "--json").data
    assert [item["zarr_url"] for item in shown["items"]] == ["/data/a.zarr", "/data/b.zarr"]
    table = call("dataset", "show", "new").out.splitlines()
    assert table[0] == "new: 2 items in /data"
    assert table[2].split() == ["a.zarr", "well=A1", "is_3D"]
    assert table[3].split() == ["b.zarr", "not", "is_3D", "a.zarr"]


def test_item_outside_the_folder_is_refused_and_nothing_is_kept(call, tmp_path: Path) -> None:
    for url in ("/other/a.zarr", "/data/../a.zarr", "/database/a.zarr"):
        (tmp_path / "d.json").write_text(json.dumps({"zarr_dir": "/data", "images": [{"zarr_url": url}]}))
        said = call("dataset", "create", "new", "--from", "d.json")
        assert said.code == 2
        assert "images[0].zarr_url" in said.err
    assert call("dataset", "list", "--json").data["datasets"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "needs either --dir or --from"),
        (["--dir", "/a", "--from", "b.json"], "needs either --dir or --from"),
        (["--from", "missing.json"], "missing.json cannot be read: No such file"),
        (["--from", "broken.json"], "broken.json is not valid JSON: Expecting value at line 2, column 1"),
        (["--from", "list.json"], "must be an object"),
    ],
)
def test_dataset_from_bad_input_is_refused(call, tmp_path: Path, words: list[str], message: str) -> None:
    (tmp_path / "broken.json").write_text("[\n")
    (tmp_path / "list.json").write_text("[]")
    said = call("dataset", "create", "d", *words)
    assert said.code == 2
    assert message in said.err


def test_name_that_is_taken_is_refused(call) -> None:
    call("dataset", "create", "plates", "--dir", "/data")
    said = call("dataset", "create", "plates", "--dir", "/data")
    assert said.code == 2
    assert "plates" in said.err


def test_workflow_survives_import_and_export(call, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WORKFLOW))
    stored = call("workflow", "import", "w.json", "--json").data
    assert stored["steps"] == ["Make", "use it"]
    exported = call("workflow", "export", "Small").data
    assert [task["task"] for task in exported["task_list"]] == [
        task["task"] for task in WORKFLOW["task_list"]
    ]
    assert exported["task_list"][0]["args_non_parallel"] == {"n": 2}
    assert call("workflow", "import", "w.json").code == 2
    assert call("workflow", "import", "w.json", "--replace").code == 0
    (tmp_path / "again.json").write_text(json.dumps({**exported, "name": "Again"}))
    assert call("workflow", "import", "again.json").code == 0
    assert [entry["name"] for entry in call("workflow", "list", "--json").data["workflows"]] == [
        "Again",
        "Small",
    ]


def test_broken_workflow_names_every_problem_with_its_place(call, tmp_path: Path) -> None:
    (tmp_path / "w.json").write_text(
        json.dumps({"name": "W", "task_list": [{"task": {}, "extra": 1}], "x": 1})
    )
    said = call("workflow", "import", "w.json")
    assert said.code == 2
    assert "task_list[0].extra" in said.err
    assert "task_list[0].task.name" in said.err


def test_run_of_an_unknown_task_is_refused_before_anything_starts(call, tmp_path: Path, home: Path) -> None:
    (tmp_path / "w.json").write_text(json.dumps(WORKFLOW))
    call("workflow", "import", "w.json")
    call("dataset", "create", "d", "--dir", "/data")
    said = call("run", "Small", "--dataset", "d")
    assert said.code == 2
    assert "'Make'" in said.err
    assert call("runs", "--json").data == {"runs": []}
    assert not (home / "server").exists()


def test_unknown_names_say_what_exists(call) -> None:
    call("dataset", "create", "plates", "--dir", "/data")
    assert "plates" in call("dataset", "show", "plate").err
    assert "treadle collect" in call("package", "show", "tools").err
    assert "treadle collect" in call("task", "show", "Make").err


@pytest.mark.parametrize(
    ("words", "key"),
    [(["package", "list"], "packages"), (["task", "list"], "tasks"), (["runs"], "runs")],
)
def test_empty_lists_say_what_to_do_first(call, words: list[str], key: str) -> None:
    assert call(*words, "--json").data == {key: []}
    assert "treadle " in call(*words).out

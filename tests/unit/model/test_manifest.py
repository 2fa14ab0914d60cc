"""Manifests of version 2."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.errors import ManifestInvalid
from treadle.model.manifest import Manifest, parse_manifest
from treadle.model.task import Part, Task, TaskType
from treadle.testing import strategies


def a_task(**fields: object) -> dict[str, object]:
    return {"name": "Measure", "executable_parallel": "measure.py", **fields}


def a_manifest(*tasks: object, **fields: object) -> dict[str, object]:
    return {"manifest_version": "2", "task_list": list(tasks), **fields}


def parse(document: object) -> Manifest:
    return parse_manifest(json.dumps(document), "my-package")


def refusal(document: object) -> str:
    with pytest.raises(ManifestInvalid) as caught:
        parse(document)
    return str(caught.value)


def only_task(document: object) -> Task:
    (task,) = parse(document).tasks("my-package", "1.0")
    return task


@given(strategies.manifest_documents())
def test_a_valid_manifest_is_read_field_by_field(document: dict[str, Any]) -> None:
    manifest = parse(document)
    tasks = manifest.tasks("my-package", "1.0")
    assert [task.name for task in tasks] == [entry["name"] for entry in document["task_list"]]
    for task, entry in zip(tasks, document["task_list"], strict=True):
        assert (task.package, task.version) == ("my-package", "1.0")
        assert task.input_types == entry.get("input_types", {})
        assert task.output_types == entry.get("output_types", {})
        assert [task.docs_info, task.docs_link, task.category, task.modality] == [
            entry.get(key) for key in ("docs_info", "docs_link", "category", "modality")
        ]
        assert list(task.tags) == entry.get("tags", [])
        assert task.authors == document.get("authors")
        assert task.args_schema_version == (
            document["args_schema_version"] if document["has_args_schemas"] else None
        )
        for part in task.type.parts:
            assert task.part(part).executable == entry[f"executable_{part}"]
            assert task.part(part).meta == entry.get(f"meta_{part}", {})
            assert task.part(part).args_schema == entry.get(f"args_schema_{part}")


@given(strategies.manifest_documents())
def test_tasks_survive_their_way_through_json(document: dict[str, Any]) -> None:
    for task in parse(document).tasks("my-package", "1.0"):
        again = Task.model_validate_json(task.model_dump_json())
        assert again == task
        assert repr(again) == repr(task)


@given(strategies.manifest_documents())
def test_a_manifest_survives_its_way_through_json(document: dict[str, Any]) -> None:
    manifest = parse(document)
    assert parse_manifest(manifest.model_dump_json(), "my-package") == manifest


@given(strategies.manifest_documents().filter(lambda document: bool(document["task_list"])), st.data())
def test_a_task_name_that_comes_twice_is_refused_even_if_padded(
    document: dict[str, Any], data: st.DataObject
) -> None:
    twice = data.draw(st.sampled_from(document["task_list"]))
    document["task_list"].append({**twice, "name": f" {twice['name']} "})
    assert f"task_list[{len(document['task_list']) - 1}].name: " in refusal(document)


@given(strategies.json_values().filter(lambda value: value != "2"))
def test_any_other_version_is_refused(version: object) -> None:
    assert "The manifest of my-package has version" in refusal({"manifest_version": version, "task_list": []})


@pytest.mark.parametrize(
    ("version", "named"), [("1", 'version "1", the old generation'), ("3", 'version "3"'), (2, "version 2;")]
)
def test_the_version_found_is_named(version: object, named: str) -> None:
    assert named in refusal(a_manifest(manifest_version=version))


def test_a_missing_version_is_a_missing_key() -> None:
    assert "manifest_version: is required" in refusal({"task_list": []})


@pytest.mark.parametrize(
    ("executables", "kind"),
    [
        (["parallel"], TaskType.PARALLEL),
        (["non_parallel"], TaskType.NON_PARALLEL),
        (["parallel", "non_parallel"], TaskType.COMPOUND),
    ],
)
@pytest.mark.parametrize("explicit", [{}, {"type": None}])
def test_the_type_is_inferred_from_the_parts(
    executables: list[str], kind: TaskType, explicit: dict[str, object]
) -> None:
    parts = {f"executable_{part}": "run.py" for part in executables}
    assert only_task(a_manifest({"name": "T", **parts, **explicit})).type is kind


@pytest.mark.parametrize(
    ("kind", "present", "missing"),
    [
        ("parallel", "non_parallel", "parallel"),
        ("non_parallel", "parallel", "non_parallel"),
        ("compound", "parallel", "non_parallel"),
        ("compound", "non_parallel", "parallel"),
        ("converter_non_parallel", "parallel", "non_parallel"),
        ("converter_compound", "non_parallel", "parallel"),
        ("converter_compound", "parallel", "non_parallel"),
    ],
)
def test_a_type_whose_parts_are_missing_is_refused(kind: str, present: str, missing: str) -> None:
    text = refusal(a_manifest({"name": "T", "type": kind, f"executable_{present}": "run.py"}))
    assert f"task_list[0].type: {kind} needs executable_{missing}, which is missing" in text


def test_a_part_beyond_the_type_is_kept_for_the_check_of_files_but_not_called() -> None:
    document = a_manifest(a_task(type="parallel", executable_non_parallel="extra.py"))
    assert parse(document).executables() == ("extra.py", "measure.py")
    with pytest.raises(ValueError, match="has no non_parallel part"):
        only_task(document).part(Part.NON_PARALLEL)


def test_executables_are_named_once() -> None:
    manifest = parse(a_manifest(a_task(name="A"), a_task(name="B", executable_non_parallel="init.py")))
    assert manifest.executables() == ("measure.py", "init.py")


def test_a_task_without_executable_is_refused() -> None:
    assert "task_list[0]: must have executable_non_parallel" in refusal(a_manifest({"name": "T"}))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"task_list": None}, "task_list: must be a list, found null"),
        ({"task_list": {}}, "task_list: must be a list, found an object"),
        ({"has_args_schemas": None}, "has_args_schemas: must be true or false, found null"),
        ({"has_args_schemas": 1}, "has_args_schemas: must be true or false, found a number"),
        ({"args_schema_version": 1}, "args_schema_version: must be a string, found a number"),
        ({"authors": ""}, "authors: must be a non-empty string, found an empty string"),
        ({"authors": "  "}, "authors: must be a non-empty string, found an empty string"),
    ],
)
def test_a_bad_field_of_the_manifest_is_refused(fields: dict[str, object], place: str) -> None:
    assert place in refusal({**a_manifest(a_task()), **fields})


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"name": None}, "name: must be a string, found null"),
        ({"name": " "}, "name: must be a non-empty string"),
        ({"executable_parallel": ""}, "executable_parallel: must be a non-empty string"),
        (
            {"executable_parallel": "/usr/bin/env"},
            "executable_parallel: must be a path inside the package's root",
        ),
        (
            {"executable_parallel": "../other/run.py"},
            "executable_parallel: must be a path inside the package's root",
        ),
        ({"executable_parallel": "run.py; rm"}, "executable_parallel: must not hold ;"),
        (
            {"type": "serial"},
            "type: must be one of 'parallel', 'non_parallel', 'compound', 'converter_non_parallel'",
        ),
        ({"type": 3}, "type: must be one of"),
        ({"input_types": None}, "input_types: must be an object, found null"),
        ({"input_types": {"3D": 1}}, "input_types.3D: must be true or false, found a number"),
        ({"input_types": {"3D": "true"}}, "must be true or false, found a string"),
        ({"output_types": None}, "output_types: must be an object, found null"),
        ({"output_types": {"": True}}, "output_types: has an empty key"),
        ({"output_types": {"a": True, " a": False}}, "output_types: has the key 'a' twice"),
        ({"meta_parallel": None}, "meta_parallel: must be an object, found null"),
        ({"meta_parallel": {" ": 1}}, "meta_parallel: has an empty key"),
        (
            {"meta_non_parallel": {"cpus_per_task": 1}},
            "meta_non_parallel: must be empty, as there is no executable",
        ),
        (
            {"args_schema_non_parallel": {}},
            "args_schema_non_parallel: must be null, as there is no executable",
        ),
        ({"args_schema_parallel": []}, "args_schema_parallel: must be an object, found a list"),
        ({"docs_info": 1}, "docs_info: must be a string, found a number"),
        ({"docs_link": "docs.example.org"}, "docs_link: must be an http or https URL"),
        ({"docs_link": "ftp://example.org"}, "docs_link: must be an http or https URL"),
        ({"docs_link": "http://[bad"}, "docs_link: must be an http or https URL"),
        ({"docs_link": ""}, "docs_link: must be a non-empty string"),
        ({"category": ""}, "category: must be a non-empty string"),
        ({"modality": " "}, "modality: must be a non-empty string"),
        ({"tags": None}, "tags: must be a list, found null"),
        ({"tags": "a"}, "tags: must be a list, found a string"),
        ({"tags": ["a", " a "]}, "tags: names 'a' more than once"),
        ({"tags": ["a", ""]}, "tags[1]: must be a non-empty string"),
    ],
)
def test_a_bad_field_of_a_task_is_refused_with_its_place(fields: dict[str, object], problem: str) -> None:
    text = refusal(a_manifest(a_task(name="First"), a_task(**fields)))
    assert "task_list[1]" in text
    assert problem in text


@pytest.mark.parametrize(
    "key",
    [
        "type",
        "executable_non_parallel",
        "args_schema_parallel",
        "docs_info",
        "docs_link",
        "category",
        "modality",
    ],
)
def test_null_is_fine_where_a_value_may_be_missing(key: str) -> None:
    assert (
        only_task(a_manifest(a_task(**{key: None}), authors=None, args_schema_version=None)).authors is None
    )


def test_unknown_keys_are_ignored_at_both_levels() -> None:
    assert only_task(a_manifest(a_task(colour="red"), homepage="x")).name == "Measure"


def test_keys_are_trimmed() -> None:
    task = only_task(a_manifest(a_task(output_types={" 3D ": True}, meta_parallel={"mem ": 5})))
    assert task.output_types == {"3D": True}
    assert task.part(Part.PARALLEL).meta == {"mem": 5}


def test_a_schema_stays_exactly_as_it_was_written() -> None:
    schema = {" title ": "x", "properties": {" a ": {"type": "integer"}}}
    task = only_task(a_manifest(a_task(args_schema_parallel=schema)))
    assert task.part(Part.PARALLEL).args_schema == schema


def test_each_part_needs_its_schema_if_the_manifest_promises_schemas() -> None:
    complete = a_task(args_schema_parallel={})
    partial = a_task(name="B", executable_non_parallel="b.py", args_schema_parallel={})
    text = refusal(a_manifest(complete, partial, has_args_schemas=True))
    assert text.count("\n") == 1
    assert "task_list[1].args_schema_non_parallel: is required, as has_args_schemas is true" in text


def test_the_label_of_schemas_is_kept_only_with_schemas() -> None:
    task = a_task(args_schema_parallel={})
    label = {"args_schema_version": "pydantic_v2"}
    assert only_task(a_manifest(task, has_args_schemas=True, **label)).args_schema_version == "pydantic_v2"
    assert only_task(a_manifest(task, **label)).args_schema_version is None


def test_all_problems_are_told_at_once() -> None:
    """A bad field hides neither another bad field nor a broken rule between fields."""
    text = refusal(
        a_manifest(a_task(tags="x", meta_non_parallel={"mem": 1}), a_task(type="compound"), 7, authors=""),
    )
    for problem in [
        "task_list[0].tags: ",
        "task_list[0].meta_non_parallel: ",
        "task_list[1].name: ",
        "task_list[1].type: ",
        "task_list[2]: must be an object, found a number",
        "authors: ",
    ]:
        assert problem in text
    assert "my-package" in text


def test_messages_are_free_of_the_parsers_own_words() -> None:
    text = refusal(a_manifest(a_task(tags="x", type=3, input_types={"a": []}), has_args_schemas="yes"))
    for jargon in ["pydantic", "errors.", "input_value", "Input should", "type="]:
        assert jargon not in text


@pytest.mark.parametrize("text", ["", "{", '{"manifest_version": "2",}'])
def test_text_that_is_not_json_is_refused_with_line_and_column(text: str) -> None:
    with pytest.raises(ManifestInvalid, match=r"my-package is not JSON: .*line 1, column \d+"):
        parse_manifest(text, "my-package")


@pytest.mark.parametrize("document", [[], "2", None, 5])
def test_json_that_is_no_object_is_refused(document: object) -> None:
    assert "must be an object" in refusal(document)

"""Hypothesis strategies for the values of the model; they need the `hypothesis` library.

Each strategy makes valid values only; those named `..._documents` make the JSON from which a value is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import cast

from hypothesis import strategies as st
from pydantic import JsonValue

from treadle.model.constrained import Scalar
from treadle.model.dataset import Dataset, Item
from treadle.model.manifest import parse_manifest
from treadle.model.outputs import ItemUpdate, UnitOutput
from treadle.model.overlay import Overlay
from treadle.model.policy import OnFailure, Retries
from treadle.model.profile import ClusterProfile
from treadle.model.resources import Resources
from treadle.model.task import Task, TaskRef, TaskType
from treadle.model.units import ENGINE_ARGUMENTS
from treadle.model.workflow import Step, Workflow

FOLDER = "/data/zarr"

Json = dict[str, JsonValue]

_characters = st.characters(exclude_categories=["Cs", "Cc"])


@cache
def texts(max_size: int = 12) -> st.SearchStrategy[str]:
    """Make texts that are neither empty nor padded with spaces."""
    return st.text(_characters, min_size=1, max_size=max_size).map(str.strip).filter(bool)


@cache
def scalars() -> st.SearchStrategy[Scalar]:
    """Make values of attributes, with pairs that are equal but of different types."""
    tricky = st.sampled_from([True, False, 0, 1, 0.0, 1.0, "1", ""])
    floats = st.floats(allow_nan=False, allow_infinity=False)
    integers = st.integers(min_value=-(2**53), max_value=2**53)
    return cast("st.SearchStrategy[Scalar]", tricky | integers | floats | st.text(_characters, max_size=5))


@cache
def json_values() -> st.SearchStrategy[JsonValue]:
    """Make JSON values, nested a little."""
    leaves = st.none() | scalars()
    nested = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(5), inner, max_size=3),
        max_leaves=5,
    )
    return cast("st.SearchStrategy[JsonValue]", nested)


@cache
def json_objects() -> st.SearchStrategy[Json]:
    """Make JSON objects whose keys are trimmed."""
    return st.dictionaries(texts(8), json_values(), max_size=2)


def item_urls(folder: str = FOLDER) -> st.SearchStrategy[str]:
    """Make URLs of items strictly inside a folder, from a pool so small that they meet again."""
    names = st.sampled_from(["a", "b", "c", "d", "plate/A/1", "plate/A/2"])
    return names.map(lambda name: f"{folder}/{name}")


@cache
def types() -> st.SearchStrategy[dict[str, bool]]:
    """Make types, as items have them and as filters want them."""
    return st.dictionaries(st.sampled_from(["3D", "corrected", "projected"]), st.booleans(), max_size=3)


def items(folder: str = FOLDER) -> st.SearchStrategy[Item]:
    """Make items inside a folder."""
    return st.builds(
        Item,
        zarr_url=item_urls(folder),
        origin=st.none() | item_urls(folder),
        attributes=st.dictionaries(st.sampled_from(["plate", "well", "channel"]), scalars(), max_size=3),
        types=types(),
    )


def item_lists(folder: str = FOLDER) -> st.SearchStrategy[list[Item]]:
    """Make items with different URLs inside a folder."""
    return st.lists(items(folder), max_size=6, unique_by=lambda item: item.zarr_url)


def datasets(folder: str = FOLDER) -> st.SearchStrategy[Dataset]:
    """Make datasets in a folder."""
    names = st.text("abc XYZ019_.-", min_size=1, max_size=10).map(str.strip).filter(bool)
    return st.builds(Dataset, name=names, zarr_dir=st.just(folder), items=item_lists(folder).map(tuple))


@st.composite
def task_documents(draw: st.DrawFn, kind: TaskType | None = None, *, schemas: bool = False) -> Json:
    """Make entries of a manifest's `task_list`.

    Args:
        draw: Given by Hypothesis.
        kind: Type of the task; any if None. A type that can be inferred is sometimes left out.
        schemas: Whether each part has an argument schema.
    """
    chosen = kind or draw(st.sampled_from(TaskType))
    document: Json = {"name": draw(texts())}
    if chosen.is_converter or draw(st.booleans()):
        document["type"] = chosen.value
    for part in sorted(chosen.parts):
        document[f"executable_{part}"] = draw(st.sampled_from(["run.py", "tasks/measure.py"]))
        if draw(st.booleans()):
            document[f"meta_{part}"] = draw(metas())
        if schemas:
            document[f"args_schema_{part}"] = {"type": "object", "properties": {}}
    optional: dict[str, st.SearchStrategy[JsonValue]] = {
        "input_types": types().map(dict[str, JsonValue]),
        "output_types": types().map(dict[str, JsonValue]),
        "docs_info": st.none() | st.text(_characters, max_size=10),
        "docs_link": st.sampled_from([None, "https://example.org/docs"]),
        "category": st.none() | texts(),
        "modality": st.none() | texts(),
        "tags": st.lists(texts(), max_size=3, unique=True).map(list[JsonValue]),
        "unknown_key": st.none() | texts(),
    }
    return document | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def manifest_documents(draw: st.DrawFn) -> Json:
    """Make manifests of version 2, as JSON."""
    schemas = draw(st.booleans())
    tasks = draw(
        st.lists(task_documents(schemas=schemas), max_size=3, unique_by=lambda task: str(task["name"]))
    )
    document: Json = {
        "manifest_version": "2",
        "task_list": list[JsonValue](tasks),
        "has_args_schemas": schemas,
        "args_schema_version": draw(st.sampled_from([None, "pydantic_v2"])),
    }
    optional: dict[str, st.SearchStrategy[JsonValue]] = {
        "authors": st.none() | texts(),
        "unknown_key": st.none() | texts(),
    }
    return document | draw(st.fixed_dictionaries({}, optional=optional))


@st.composite
def tasks(draw: st.DrawFn, kind: TaskType | None = None) -> Task:
    """Make tasks of a type, or of any."""
    document = draw(task_documents(kind))
    if kind is not None:
        document["type"] = kind.value
    manifest = parse_manifest(json.dumps({"manifest_version": "2", "task_list": [document]}), "tasks")
    return manifest.tasks("tasks", "1.0")[0]


@cache
def metas() -> st.SearchStrategy[Json]:
    """Make the meta of a part: resources, and keys that are no resource."""
    optional: dict[str, st.SearchStrategy[JsonValue]] = {
        "cpus_per_task": st.integers(1, 64),
        "mem": st.integers(1, 10**6) | st.sampled_from(["500M", "8G", "1T", "4000"]),
        "needs_gpu": st.booleans() | st.sampled_from(["true", "False"]),
        "extra_lines": st.lists(texts(), max_size=2).map(list[JsonValue]),
        "something else": st.none() | texts(),
    }
    return st.fixed_dictionaries({}, optional=optional)


@cache
def times() -> st.SearchStrategy[str]:
    """Make time limits as SLURM takes them; none of them is without an end."""
    return st.sampled_from(["1", "30", "1:30", "02:00:00", "1-0", "1-12:30", "3-00:00:01"])


@cache
def _words() -> st.SearchStrategy[str]:
    return st.sampled_from(["short", "long", "gpu:1", "n[1-4]", "a&b"])


@cache
def overlays() -> st.SearchStrategy[Overlay]:
    """Make what profiles and runs say of resources."""
    word = st.none() | st.just("") | _words()
    return st.builds(
        Overlay,
        cpus=st.none() | st.integers(1, 64),
        memory=st.none() | st.integers(1, 10**6),
        time=st.none() | st.just("") | times(),
        partition=word,
        account=word,
        constraint=word,
        gpus=st.sampled_from([None, "", "1", "2"]),
        directives=st.none() | st.lists(st.sampled_from(["--qos=a", "--exclusive"]), max_size=2).map(tuple),
        prologue=st.none()
        | st.lists(st.sampled_from(["module load a", "ulimit -c 0"]), max_size=2).map(tuple),
    )


@cache
def resources() -> st.SearchStrategy[Resources]:
    """Make what units need."""
    together = st.none() | st.integers(1, 8)
    return st.builds(
        Resources,
        cpus=st.integers(1, 64),
        memory_mb=st.none() | st.integers(1, 10**6),
        needs_gpu=st.booleans(),
        time=st.none() | st.just("infinite") | times(),
        constraint=st.none() | _words(),
        partition=st.none() | _words(),
        gpus=st.none() | st.just("1"),
        extra_lines=st.lists(st.sampled_from(["#SBATCH --qos=a", "module load b"]), max_size=2).map(tuple),
        tasks_per_job=together,
        parallel_tasks_per_job=together,
    )


@st.composite
def cluster_profiles(draw: st.DrawFn) -> ClusterProfile:
    """Make profiles of clusters under SLURM."""
    most_cpus = draw(st.none() | st.integers(1, 128))
    most_memory = draw(st.none() | st.integers(1, 10**6))
    return draw(
        st.builds(
            ClusterProfile,
            defaults=overlays(),
            gpu=overlays(),
            force=overlays(),
            target_cpus_per_job=st.none() | st.integers(1, most_cpus or 64),
            max_cpus_per_job=st.just(most_cpus),
            target_memory_per_job=st.none() | st.integers(1, most_memory or 10**6),
            max_memory_per_job=st.just(most_memory),
            max_jobs=st.integers(1, 50),
            max_cores=st.none() | st.integers(1, 256),
            job_time=st.sampled_from(["10", "1:30:00"]),
            max_time=st.sampled_from([None, "12:00:00", "5-0"]),
            worker_memory=st.integers(1, 1000),
            memory_per_cpu=st.booleans(),
            exports=st.dictionaries(st.sampled_from(["A", "B_1"]), texts(), max_size=2),
        )
    )


def steps(name: str, needs: Sequence[str] = ()) -> st.SearchStrategy[Step]:
    """Make a step of a name, with what it needs."""
    arguments = st.none() | json_objects().filter(lambda drawn: not ENGINE_ARGUMENTS & drawn.keys())
    versions = st.sampled_from([None, "1.0", "2.0rc1"])
    return st.builds(
        Step,
        name=st.just(name),
        task=st.builds(TaskRef, pkg_name=st.just("tasks"), version=versions, name=st.just(name) | texts()),
        args_non_parallel=arguments,
        args_parallel=arguments,
        meta_non_parallel=st.none() | metas(),
        meta_parallel=st.none() | metas(),
        type_filters=types(),
        needs=st.just(tuple(needs)),
        description=st.sampled_from([None, "what it does"]),
        retries=st.builds(Retries, attempts=st.integers(1, 5), backoff_seconds=st.sampled_from([0, 2, 0.5])),
        on_failure=st.sampled_from(OnFailure),
        failure_threshold=st.sampled_from([0, 0.05, 1]),
    )


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """Make workflows: chains and other graphs, whose steps are listed in any order."""
    names = draw(st.lists(texts(), max_size=4, unique=True))
    chain = draw(st.booleans())
    made = []
    for index, name in enumerate(names):
        needs = names[max(index - 1, 0) : index]
        if not chain and index:
            needs = draw(st.lists(st.sampled_from(names[:index]), unique=True))
        made.append(draw(steps(name, needs)))
    listed = made if chain else draw(st.permutations(made))
    return Workflow(name=draw(texts()), description=draw(st.none() | texts()), steps=tuple(listed))


def item_updates(folder: str = FOLDER) -> st.SearchStrategy[ItemUpdate]:
    """Make updates of items, new and old, inside a folder."""
    values = st.none() | scalars()
    return st.builds(
        ItemUpdate,
        zarr_url=item_urls(folder),
        origin=st.none() | item_urls(folder),
        attributes=st.dictionaries(st.sampled_from(["plate", "well", "channel"]), values, max_size=3),
        types=types(),
    )


def unit_outputs(folder: str = FOLDER) -> st.SearchStrategy[UnitOutput]:
    """Make what units return; several of them may contradict one another."""
    return st.builds(
        UnitOutput,
        image_list_updates=st.lists(item_updates(folder), max_size=2).map(tuple),
        image_list_removals=st.lists(item_urls(folder), max_size=1).map(tuple),
    )

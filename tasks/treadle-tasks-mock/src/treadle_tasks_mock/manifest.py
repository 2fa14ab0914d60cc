"""The manifest, made from the tasks: `python -m treadle_tasks_mock.manifest` writes it."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

MANIFEST_FILE = Path(__file__).parent / "__FRACTAL_MANIFEST__.json"

DOCS = "Every executable takes the arguments of the package's README: time, memory, output, failure."
TASKS: tuple[dict[str, Any], ...] = (
    {
        "name": "Create Items",
        "type": "converter_non_parallel",
        "non_parallel": "create_items",
        "docs_info": "Creates items as small folders in the dataset's folder, in one call.",
    },
    {
        "name": "Create Items Apart",
        "type": "converter_compound",
        "non_parallel": "create_items_apart_init",
        "parallel": "create_items_apart",
        "docs_info": "Creates items as small folders in the dataset's folder, each in a unit of its own.",
    },
    {
        "name": "Act on Item",
        "type": "parallel",
        "parallel": "act_on_item",
        "docs_info": "Does what it is asked for, once for each item.",
    },
    {
        "name": "Act on All Items",
        "type": "non_parallel",
        "non_parallel": "act_on_all_items",
        "docs_info": "Does what it is asked for, once for all items together.",
    },
    {
        "name": "Act on Parts",
        "type": "compound",
        "non_parallel": "act_on_parts_init",
        "parallel": "act_on_parts",
        "docs_info": "Does what it is asked for, several times for each item.",
    },
    {
        "name": "Derive Item",
        "type": "parallel",
        "parallel": "derive_item",
        "input_types": {"derived": False},
        "output_types": {"derived": True},
        "docs_info": "Creates a new item from each item that is not derived itself.",
    },
    {
        "name": "Mark Item",
        "type": "parallel",
        "parallel": "act_on_item",
        "output_types": {"marked": True},
        "docs_info": "Does as Act on Item, and sets the type `marked`.",
    },
    {
        "name": "Act on Marked Item",
        "type": "parallel",
        "parallel": "act_on_item",
        "input_types": {"marked": True},
        "docs_info": "Does as Act on Item, for items of type `marked`.",
    },
    {
        "name": "Remove Items",
        "type": "non_parallel",
        "non_parallel": "remove_items",
        "docs_info": "Takes items out of the dataset.",
    },
)


def build_manifest() -> dict[str, Any]:
    """The manifest as the tasks are now."""
    return {
        "manifest_version": "2",
        "has_args_schemas": True,
        "args_schema_version": "pydantic_v2",
        "authors": "The Treadle developers",
        "task_list": [_describe(task) for task in TASKS],
    }


def _describe(task: dict[str, Any]) -> dict[str, Any]:
    described = {key: value for key, value in task.items() if key not in {"non_parallel", "parallel"}}
    described["docs_info"] = f"{task['docs_info']} {DOCS}"
    described.update(category="Testing", tags=["mock"])
    for kind in ("non_parallel", "parallel"):
        if kind in task:
            module = import_module(f"treadle_tasks_mock.tasks.{task[kind]}")
            described[f"executable_{kind}"] = f"tasks/{task[kind]}.py"
            described[f"args_schema_{kind}"] = module.PART.schema()
            described[f"meta_{kind}"] = {"cpus_per_task": 1, "mem": 200}
    return described


if __name__ == "__main__":
    MANIFEST_FILE.write_text(json.dumps(build_manifest(), indent=2) + "\n", encoding="utf-8")

"""Treadle: a workflow engine for science.

What stands here is for flow definitions in Python; `import treadle` alone costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.authoring.call import Call
    from treadle.authoring.commands import CommandTask, command_task
    from treadle.authoring.datasets import Dataset
    from treadle.authoring.plan import Plan
    from treadle.authoring.resources import Resources
    from treadle.authoring.result import Result
    from treadle.authoring.task_cache.policy import treadle_policy
    from treadle.authoring.tasks import TaskHandle, load_task
    from treadle.authoring.values import FunctionHandle, load_function
    from treadle.authoring.wfcommons import read_wfcommons
    from treadle.authoring.workflow import StepHandle, Workflow
    from treadle.cache.cached import cached
    from treadle.clusters.submission import dask_submit
    from treadle.model.dataset import Item
    from treadle.model.marks import task
    from treadle.model.policy import Retries
else:
    _HOMES = {
        "Call": "authoring.call",
        "CommandTask": "authoring.commands",
        "Dataset": "authoring.datasets",
        "FunctionHandle": "authoring.values",
        "Item": "model.dataset",
        "Plan": "authoring.plan",
        "Resources": "authoring.resources",
        "Result": "authoring.result",
        "Retries": "model.policy",
        "StepHandle": "authoring.workflow",
        "TaskHandle": "authoring.tasks",
        "Workflow": "authoring.workflow",
        "cached": "cache.cached",
        "command_task": "authoring.commands",
        "dask_submit": "clusters.submission",
        "load_function": "authoring.values",
        "load_task": "authoring.tasks",
        "read_wfcommons": "authoring.wfcommons",
        "task": "model.marks",
        "treadle_policy": "authoring.task_cache.policy",
    }

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used."""
        if name in _HOMES:
            from importlib import import_module

            return getattr(import_module(f"treadle.{_HOMES[name]}"), name)
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")


__all__ = [
    "Call",
    "CommandTask",
    "Dataset",
    "FunctionHandle",
    "Item",
    "Plan",
    "Resources",
    "Result",
    "Retries",
    "StepHandle",
    "TaskHandle",
    "Workflow",
    "cached",
    "command_task",
    "dask_submit",
    "load_function",
    "load_task",
    "read_wfcommons",
    "task",
    "treadle_policy",
]

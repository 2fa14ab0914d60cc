"""Whether units of steps are reused, as a deployment's form or whoever starts a run says it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from treadle.errors import ArgumentsInvalid
from treadle.model.graph import require_steps
from treadle.model.problems import found, listed
from treadle.model.reuse import CacheChoice, Reuse, reuse_of
from treadle.model.task import InstalledTask, TaskRef
from treadle.model.workflow import Workflow

CacheWords = Mapping[str, JsonValue]
"""One of `WORDS` by the names of steps."""

WORDS: Mapping[str, CacheChoice] = {"true": True, "false": False, "refresh": "refresh"}
"""What a form offers: strings, of which Prefect's UI makes a list to choose from."""

_WORD_OF = {Reuse.REUSE: "true", Reuse.NEVER: "false", Reuse.REFRESH: "refresh"}


def cache_of(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask]) -> dict[str, str]:
    """Return what holds for each step whose task is installed."""
    return {
        step.name: _WORD_OF[reuse_of(step.cache, tasks[step.task].task)]
        for step in workflow.steps
        if step.task in tasks
    }


def with_cache(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask], words: CacheWords) -> Workflow:
    """Return the workflow with other choices for some of its steps; one that holds anyway changes nothing.

    Args:
        workflow: The workflow.
        tasks: The installed tasks, by the references that steps use.
        words: The choices.

    Raises:
        UnknownName: There is no such step.
        ArgumentsInvalid: A choice is none of those there are; names all such.
    """
    require_steps([step.name for step in workflow.steps], words, f"Workflow {workflow.name!r}")
    problems = [
        f'step "{name}": must be one of {", ".join(WORDS)}, found {found(word)}'
        for name, word in words.items()
        if not isinstance(word, str) or word not in WORDS
    ]
    if problems:
        raise ArgumentsInvalid(listed("What is said of the cache cannot be read", problems))
    held = cache_of(workflow, tasks)
    changed = {name: WORDS[str(word)] for name, word in words.items() if held.get(name) != word}
    return workflow.model_copy(
        update={
            "steps": tuple(
                step.model_copy(update={"cache": changed[step.name]}) if step.name in changed else step
                for step in workflow.steps
            )
        }
    )


def refreshed(workflow: Workflow, tasks: Mapping[TaskRef, InstalledTask]) -> Workflow:
    """Return the workflow with all steps refreshed of which units would be reused."""
    held = cache_of(workflow, tasks)
    return with_cache(workflow, tasks, {name: "refresh" for name, word in held.items() if word != "false"})

"""Whether units of a step may be reused from earlier runs instead of being run again."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

from treadle.model.task import Task

CacheChoice: TypeAlias = bool | Literal["refresh"]
"""What a step says: reuse units, do not, or run them again and replace what was kept of them."""


class Reuse(StrEnum):
    """What becomes of a step's units of which something is kept, and of those that end well."""

    NEVER = "never"
    REUSE = "reuse"
    REFRESH = "refresh"


def reuse_of(choice: CacheChoice | None, task: Task) -> Reuse:
    """Return what holds for a step; where it says nothing, pure tasks are reused and others are not."""
    if choice == "refresh":
        return Reuse.REFRESH
    return Reuse.REUSE if (task.pure if choice is None else choice) else Reuse.NEVER


def reuse_text(choice: CacheChoice | None, task: Task) -> str:
    """Return the same for people, with who decided it."""
    who = "the step" if choice is not None else "the task is pure" if task.pure else "the task is not pure"
    reuse = reuse_of(choice, task)
    if reuse is Reuse.NEVER:
        return f"no ({who})"
    what = "yes" if reuse is Reuse.REUSE else "refresh: units run again, and what they leave is kept"
    how = "" if leaves_items(task) else "; an item that was worked on counts as long as nothing changes it"
    return f"{what} ({who}){how}"


def leaves_items(task: Task) -> bool:
    """Whether units leave the items as they are that they are given.

    Those of a compound task may get items that its init call has only just made for them to fill.
    """
    return task.pure and not task.type.is_compound

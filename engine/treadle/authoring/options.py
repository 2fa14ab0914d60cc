"""What an author says of a mapped call besides its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

from treadle.authoring.resources import OF_RUNS, Resources
from treadle.model.profile import LOCAL
from treadle.model.reuse import CacheChoice


@dataclass(frozen=True, slots=True)
class Options:
    """How a call is mapped.

    Attributes:
        cluster: Name of the cluster.
        resources: What a unit needs where it differs from what the task says.
        retries: How often a unit that fails is tried again.
        on_failure: `stop` makes failed units an error; `continue` goes on with the others, unless all failed.
        folder: Folder for new items; a task that makes items from nothing needs it.
        cache: Whether units are reused that were done before; None leaves it to the task.
    """

    cluster: str = LOCAL
    resources: Resources | None = None
    retries: int = 0
    on_failure: Literal["stop", "continue"] = "stop"
    folder: str | None = None
    cache: CacheChoice | None = None

    @property
    def of_units(self) -> Resources:
        """The resources that a step can name."""
        said = {name: value for name, value in (self.resources or {}).items() if name not in OF_RUNS}
        return cast("Resources", said)

    @property
    def of_run(self) -> Resources:
        """The resources that only a whole run can name."""
        said = {name: value for name, value in (self.resources or {}).items() if name in OF_RUNS}
        return cast("Resources", said)

    @staticmethod
    def said(
        cluster: str | None,
        resources: Resources | None,
        retries: int | None,
        on_failure: Literal["stop", "continue"] | None,
        folder: str | PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Return what is not None of them, by field."""
        named = {
            "cluster": cluster,
            "resources": resources,
            "retries": retries,
            "on_failure": on_failure,
            "folder": None if folder is None else _spelled(folder),
        }
        return {name: value for name, value in named.items() if value is not None}


def _spelled(folder: str | PathLike[str]) -> str:
    text = str(folder)
    return text if text.startswith("s3://") else str(Path(text).expanduser().absolute())


USUAL = Options()

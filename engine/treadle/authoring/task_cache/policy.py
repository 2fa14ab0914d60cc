"""Prefect's cache policy whose keys are ours."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect.cache_policies import CachePolicy
from prefect.transactions import IsolationLevel

from treadle.authoring.task_cache.calls import digest_for, remember
from treadle.authoring.task_cache.locks import LeaseLocks
from treadle.authoring.task_cache.results import CallResults
from treadle.cache.keys.sealing import KeyOptions, Sealer
from treadle.errors import Indigestible

if TYPE_CHECKING:
    from prefect.context import TaskRunContext

logger = logging.getLogger(__name__)


@dataclass
class CallPolicy(CachePolicy):
    """Keys of task runs by module, name, version and source of the function, and by its arguments.

    Attributes:
        version: Change it when the function changes; None for the version of its package.
        code: Whether the function's source counts, and that of what it uses in its project.
        ignore: Names of parameters that do not count.
        by_content: Names of parameters that are paths and count by what they lead to.
    """

    version: int | str | None = None
    code: bool = True
    ignore: tuple[str, ...] = ()
    by_content: tuple[str, ...] = ()

    def compute_key(
        self,
        task_ctx: TaskRunContext,
        inputs: dict[str, Any],
        flow_parameters: dict[str, Any],
        **kwargs: Any,
    ) -> str | None:
        """Return the key of a task run; None for one that is not to be cached, which is then told of."""
        del flow_parameters, kwargs
        options = KeyOptions(
            version=self.version, with_code=self.code, ignore=self.ignore, by_content=self.by_content
        )
        try:
            sealer = Sealer(task_ctx.task.fn, options)
            ignored = sealer.signature.ignored
            counting: Mapping[str, object] = {
                name: value for name, value in inputs.items() if name not in ignored
            }
            call = sealer.read(counting).seal()
        except Indigestible as error:
            logger.warning("task_run_not_cached task=%s error=%s", task_ctx.task.name, error)
            return None
        path = digest_for("call", call.key)
        remember(path, call)
        return path

    def __sub__(self, other: str) -> CachePolicy:
        """Return a policy for which a parameter does not count."""
        if not isinstance(other, str):
            raise TypeError("Only names of parameters can be taken from a policy.")
        less = self.configure()
        less.ignore = (*self.ignore, other)
        return less


def treadle_policy(
    cache: str | None = None,
    *,
    version: int | str | None = None,
    code: bool = True,
    ignore: str | Collection[str] = (),
    by_content: str | Collection[str] = (),
) -> CallPolicy:
    """Return a cache policy for Prefect's tasks that is made of Treadle's call cache.

    ::

        @task(cache_policy=treadle_policy())
        def fit(data, order=2): ...

    Keys are typed and the same in every process; results are in the cache; of equal task runs at the same
    time one runs, also where they are on several machines, and one that is killed delays the others by half
    a minute at most.

    Args:
        cache: Name of a configured cache; the one in use if None.
        version: Change it when the function changes; None for the version of its package.
        code: Whether the function's source counts, and that of what it uses in its project.
        ignore: Names of parameters that do not count.
        by_content: Names of parameters that are paths and count by what they lead to.
    """
    return CallPolicy(
        key_storage=CallResults(cache_name=cache, kind="key"),
        isolation_level=IsolationLevel.SERIALIZABLE,
        lock_manager=LeaseLocks(cache),
        version=version,
        code=code,
        ignore=(ignore,) if isinstance(ignore, str) else tuple(ignore),
        by_content=(by_content,) if isinstance(by_content, str) else tuple(by_content),
    )

"""Where batches run: clusters of workers behind one port."""

from __future__ import annotations

from collections.abc import Callable

from treadle.clusters.port import Cluster, Pool
from treadle.errors import UsageError
from treadle.settings import Settings

__all__ = ["Cluster", "Pool", "open_cluster"]


def _local(settings: Settings) -> Cluster:
    from treadle.clusters.local import LocalCluster

    return LocalCluster(settings.workers)


_CLUSTERS: dict[str, Callable[[Settings], Cluster]] = {"local": _local}


def open_cluster(name: str, settings: Settings) -> Cluster:
    """Return the cluster of that name; its workers start when it is entered as a context.

    Raises:
        UsageError: There is no cluster of that name.
    """
    if name not in _CLUSTERS:
        known = ", ".join(sorted(_CLUSTERS))
        raise UsageError(f"There is no cluster {name!r}.", remedy=f"Choose one of: {known}.")
    return _CLUSTERS[name](settings)

"""Where batches run: clusters of workers behind one port."""

from __future__ import annotations

from pathlib import Path

from treadle.clusters.port import Cluster, Pool
from treadle.settings import Settings

__all__ = ["Cluster", "Pool", "open_cluster"]


def open_cluster(name: str, settings: Settings) -> Cluster:
    """Return the cluster of that name; its workers start when it is entered as a context.

    Raises:
        UnknownName: There is no cluster of that name.
    """
    profile = settings.cluster(name)
    if profile.kind == "local":
        from treadle.clusters.local import LocalCluster

        return LocalCluster(settings.workers)
    from treadle.clusters.slurm.cluster import SlurmCluster

    shared = Path(profile.shared_folder) if profile.shared_folder else settings.home
    return SlurmCluster(name, profile, shared / "clusters", home=settings.home)

"""The fake cluster keeps the contract."""

from __future__ import annotations

from treadle.clusters import Cluster
from treadle.testing.cluster import ClusterContract, ThreadCluster


class TestThreadCluster(ClusterContract):
    def new_cluster(self, slots: int) -> Cluster:
        return ThreadCluster(slots)

    def lose_worker(self, cluster: Cluster) -> None:
        assert isinstance(cluster, ThreadCluster)
        cluster.lose_worker()

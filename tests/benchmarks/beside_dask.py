"""Runs the same function as plain Dask does, and as one Prefect task a unit through prefect-dask."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

from tests.benchmarks.functions import nothing
from tests.benchmarks.site import item_urls


def raw_dask(count: int, slots: int) -> float:
    """`Client.map` on a local cluster of as many single-threaded workers; seconds once it is up."""
    from distributed import Client, LocalCluster

    urls = item_urls("/data", count)
    with (
        LocalCluster(n_workers=slots, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(nothing, urls[:slots], pure=False))
        begin = time.perf_counter()
        results = client.gather(client.map(nothing, urls, pure=False))
        seconds = time.perf_counter() - begin
    assert len(results) == count
    return seconds


def prefect_dask(count: int, slots: int) -> float:
    """One Prefect task a unit on a cluster of the same kind; seconds inside the flow, once all is up."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.states import State
    from prefect_dask import DaskTaskRunner

    unit = task(nothing, cache_policy=NO_CACHE, persist_result=False)
    cluster = {"n_workers": slots, "threads_per_worker": 1, "dashboard_address": None}

    @flow(task_runner=DaskTaskRunner(cluster_kwargs=cluster))
    def units() -> tuple[float, list[State[None]]]:
        urls = item_urls("/data", count)
        unit.map(urls[:slots]).wait()
        begin = time.perf_counter()
        futures = unit.map(urls)
        futures.wait()
        return time.perf_counter() - begin, [future.state for future in futures]

    seconds, states = units()
    assert len(states) == count
    assert all(state.is_completed() for state in states)
    return seconds


WAYS: dict[str, Callable[[int, int], float]] = {"raw-dask": raw_dask, "prefect-dask": prefect_dask}


def main(way: str, count: str, slots: str) -> None:
    """Print the seconds."""
    sys.stdout.write(json.dumps(WAYS[way](int(count), int(slots))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

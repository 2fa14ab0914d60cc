"""Calls a task of Prefect's whose result is kept, inside a flow."""

from __future__ import annotations

import sys
import time

from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from tests.benchmarks.functions_cached import add


def main(calls: str) -> None:
    """Print the seconds of so many hits; one call before them is made."""
    kept = task(add, cache_policy=INPUTS + TASK_SOURCE, persist_result=True)

    @flow
    def hits() -> float:
        kept(7)
        begin = time.perf_counter()
        for _ in range(int(calls)):
            state = kept(7, return_state=True)
            assert state.name == "Cached", state
        return time.perf_counter() - begin

    sys.stdout.write(f"{hits()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

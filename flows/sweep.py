"""A parameter sweep: a Python function at every point of a grid, on a cluster, amid Prefect's own tasks.

The sweep is one task run in Prefect, however large the grid. A flow run that is retried computes no point
again.
"""

import math
from itertools import product

from prefect import flow, task
from prefect.artifacts import create_table_artifact

from treadle import load_function


def fit(rate: float, depth: int, samples: int = 200) -> dict[str, float]:
    """Return how badly a damped oscillation of some rate and depth follows the one that is looked for."""
    times = [10 * step / samples for step in range(samples)]
    error = sum((oscillation(at, rate, depth) - oscillation(at, 0.35, 3)) ** 2 for at in times)
    return {"rate": rate, "depth": depth, "loss": error / samples}


def oscillation(at: float, rate: float, depth: int) -> float:
    """Return a damped oscillation at one moment."""
    return math.exp(-rate * at) * math.cos(depth * at)


@task
def grid(rates: int, depths: int) -> list[dict[str, float]]:
    """Return the points of the sweep: the arguments of one call each."""
    return [
        {"rate": rate / 20, "depth": depth}
        for rate, depth in product(range(1, rates + 1), range(1, depths + 1))
    ]


@task
def best(fits: list[dict[str, float]], keep: int) -> list[dict[str, float]]:
    """Return the fits of the least loss, the best first, and show them in the UI."""
    kept = sorted(fits, key=lambda fit: fit["loss"])[:keep]
    create_table_artifact(kept, key="best-fits", description="The best points of the sweep")
    return kept


@flow(name="sweep")
def sweep(rates: int = 20, depths: int = 10, samples: int = 200) -> dict[str, float]:
    """Look for the rate and depth of an oscillation.

    Args:
        rates: How many rates are tried.
        depths: How many depths are tried with each.
        samples: Points in time at which curves are compared.
    """
    fits = load_function(fit).map(grid(rates, depths), samples=samples)
    return best(fits, keep=5)[0]


if __name__ == "__main__":
    print(sweep())

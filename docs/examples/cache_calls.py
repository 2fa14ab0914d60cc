"""Makes some cached calls, so that there is something to look after."""

import treadle


@treadle.cached(version=1)
def simulate(rate: float, steps: int = 2000) -> list[float]:
    """Follow a decay."""
    return [rate**step for step in range(steps)]


@treadle.cached(version=1)
def mean(values: list[float]) -> float:
    """Average numbers."""
    return sum(values) / len(values)


if __name__ == "__main__":
    for rate in (0.5, 0.9, 0.99):
        print(rate, mean(simulate(rate)))

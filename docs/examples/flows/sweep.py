"""A function over many values."""

import treadle


def simulate(rate: float, steps: int = 100) -> float:
    """Grow by a rate, step by step."""
    size = 1.0
    for _ in range(steps):
        size *= 1 + rate
    return size


if __name__ == "__main__":
    rates = [number / 1000 for number in range(20)]
    sizes = treadle.load_function(simulate).map(rates, steps=50)
    print(dict(zip(rates, sizes, strict=True)))

"""Random generators that a fork would duplicate.

The standard library sees to its own: `random`'s functions are seeded anew in every child, and `tempfile`,
`uuid`, `secrets` and `ssl` ask the system or look at the process id. Left are generators that an imported
module has made and not seeded on purpose, and NumPy's legacy global one.
"""

from __future__ import annotations

import contextlib
import gc
import random
import sys
from collections.abc import Iterator
from typing import Any

# A seed that a person chose is smaller; without one NumPy takes 128 bits from the system.
LARGEST_CHOSEN_SEED = 2**64


class Randomness:
    """The unseeded generators of this process."""

    def __init__(self) -> None:
        self._standard: list[random.Random] = []
        self._numpy: list[Any] = []

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Take note of generators of the standard library that are made meanwhile without a seed."""
        seed = random.Random.seed

        def noted(generator: random.Random, a: Any = None, version: int = 2) -> None:
            if a is None:
                self._standard.append(generator)
            seed(generator, a, version)

        random.Random.seed = noted  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            random.Random.seed = seed  # type: ignore[method-assign]

    def find_generators(self) -> None:
        """Take note of NumPy's generators; to be called before objects are frozen."""
        numpy = sys.modules.get("numpy.random")
        if numpy is not None:
            self._numpy += [held for held in gc.get_objects() if type(held) is numpy.Generator]

    def renew(self) -> None:
        """In a forked child: make all of them differ from those of other children."""
        for generator in self._standard:
            generator.seed()
        for generator in self._numpy:
            bits = generator.bit_generator
            entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
            if isinstance(entropy, int) and entropy >= LARGEST_CHOSEN_SEED:
                bits.state = type(bits)().state
        legacy = sys.modules.get("numpy.random.mtrand")
        if legacy is not None:
            legacy._rand.seed()

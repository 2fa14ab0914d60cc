"""Where distributions come from, and in which form: wheels, but for those that may be built."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from packaging.utils import canonicalize_name

from treadle.collect.uv import UvFailed, asking_anew
from treadle.settings import Settings

_NO_WHEEL = re.compile(r"Wheels are required for `([^`]+)`")

Result = TypeVar("Result")


def index_options(settings: Settings) -> list[str]:
    """Options of uv that say where it looks: the wheelhouse alone if there is one, else the index."""
    if settings.wheelhouse is None:
        return ["--index-strategy", "first-index"]
    return ["--no-index", "--offline", "--find-links", os.fspath(settings.wheelhouse)]


def refreshing(name: str, settings: Settings) -> list[str]:
    """Options of uv that make it ask the index for a package's versions anew; none with a wheelhouse."""
    return [] if settings.wheelhouse is not None else asking_anew(name)


def wheels_first(run: Callable[[Sequence[str]], Result], allowed: Collection[str]) -> Result:
    """Run uv on wheels alone, and then again for each distribution that has none but may be built.

    uv knows `always built` and `never built` only: therefore it is told of a distribution once it missed the
    wheel.

    Args:
        run: Runs uv with options that say what may be built.
        allowed: Names of distributions whose build code may run.

    Raises:
        UvFailed: As `run` raised it: for another reason, or one lacks a wheel that may not be built.
    """
    permitted = frozenset(map(canonicalize_name, allowed))
    built: frozenset[str] = frozenset()
    while True:
        exceptions = [word for name in sorted(built) for word in ("--no-binary", name)]
        try:
            return run(["--only-binary", ":all:", *exceptions])
        except UvFailed as error:
            found = lacking_wheels(error.words) & permitted - built
            if not found:
                raise
            built |= found


def lacking_wheels(words: str) -> frozenset[str]:
    """Normalised names of the distributions that uv found no wheel of, by its own words."""
    return frozenset(map(canonicalize_name, _NO_WHEEL.findall(words)))

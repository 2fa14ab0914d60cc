"""The environment variables of units and workers."""

from __future__ import annotations

from collections.abc import Mapping

OWN_PREFIXES = ("TREADLE_", "PREFECT_")
HOME = "TREADLE_HOME"
THREAD_LIMITS = (
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "POLARS_MAX_THREADS",
)


def without_own(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are not the engine's: its own may carry secrets."""
    return {name: value for name, value in inherited.items() if not name.startswith(OWN_PREFIXES)}


def worker_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return what a worker finds in its environment: of the engine's own the home, where cached calls are."""
    home = inherited.get(HOME)
    return without_own(inherited) | ({} if home is None else {HOME: home})


def unit_environment(inherited: Mapping[str, str], extra: Mapping[str, str], cpus: int) -> dict[str, str]:
    """Return what a unit finds in its environment.

    Args:
        inherited: The worker's variables.
        extra: Variables that the run adds; they win.
        cpus: Cpus the unit asked for: the limit of each numerical library's threads.
    """
    return without_own(inherited) | dict.fromkeys(THREAD_LIMITS, str(cpus)) | dict(extra)

"""What units find in their environment."""

from __future__ import annotations

from treadle.execute.environment import unit_environment, worker_environment


def test_the_engines_own_variables_stay_behind() -> None:
    inherited = {"TREADLE_TOKEN": "x", "PREFECT_API_AUTH_STRING": "y", "HOME": "/home/me"}
    environment = unit_environment(inherited, {}, 1)
    assert environment["HOME"] == "/home/me"
    assert not [name for name in environment if name.startswith(("TREADLE_", "PREFECT_"))]


def test_thread_limits_follow_the_units_cpus_and_not_the_workers_environment() -> None:
    environment = unit_environment({"OMP_NUM_THREADS": "1"}, {}, 4)
    assert {environment[f"{library}_NUM_THREADS"] for library in ("OMP", "MKL", "OPENBLAS")} == {"4"}


def test_what_the_run_adds_wins() -> None:
    extra = {"FRACTAL_CACHE_DIR": "/cache", "OMP_NUM_THREADS": "2", "HOME": "/elsewhere"}
    environment = unit_environment({"HOME": "/home/me"}, extra, 4)
    assert extra.items() <= environment.items()


def test_a_worker_knows_the_home_and_nothing_else_of_the_engine() -> None:
    inherited = {"TREADLE_HOME": "/data/me", "TREADLE_LEDGER_URL": "x", "PREFECT_API_KEY": "y", "HOME": "/h"}
    assert worker_environment(inherited) == {"TREADLE_HOME": "/data/me", "HOME": "/h"}
    assert worker_environment({"HOME": "/h"}) == {"HOME": "/h"}

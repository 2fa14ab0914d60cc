"""Usage by owner."""

from __future__ import annotations

from treadle.model.usage import Usage
from treadle.runs.usage import NOTHING, RunUsage, by_owner


def used(owner: str, units: int, jobs: int) -> RunUsage:
    return RunUsage(owner, {}, Usage(count=units, cpu_seconds=60.0 * units), Usage(count=jobs))


def test_what_each_owner_used_is_the_sum_over_their_runs() -> None:
    sums = by_owner([used("bo", 1, 0), used("ana", 2, 1), used("bo", 4, 2)])
    assert list(sums) == ["ana", "bo"]
    runs, units, jobs = sums["bo"]
    assert (runs, units.count, units.cpu_seconds, jobs.count) == (2, 5, 300.0, 2)
    assert sums["ana"][0] == 1


def test_without_runs_nobody_used_anything() -> None:
    assert by_owner([]) == {}
    assert by_owner([RunUsage("ana", {}, NOTHING, NOTHING)]) == {"ana": (1, NOTHING, NOTHING)}

"""`explain` names what changed since a unit was done before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from treadle.cache.caches.cache import Cache
from treadle.cache.storages.sql.calls import SqlCalls
from treadle.cache.storages.void import VoidValues
from treadle.errors import UnknownName
from treadle.ledger import Ledger, packages, sqlite_url
from treadle.model.states import UnitState
from treadle.runs.environment_changes import environment_changes
from treadle.runs.explain import Explanation, explain
from treadle.testing.reuse import ReuseBench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[ReuseBench]:
    calls = SqlCalls(tmp_path / "calls.db")
    with Ledger(sqlite_url(tmp_path / "ledger.db")) as ledger:
        bench = ReuseBench(ledger, tmp_path, Cache(VoidValues(), calls))
        bench.add_items(2)
        yield bench
    calls.close()


def explained(bench: ReuseBench, run_id: int, index: int = 0) -> Explanation:
    assert bench.cache is not None
    return explain(bench.ledger, bench.cache, (run_id, 0, index))


def changes(found: Explanation) -> dict[str, tuple[str | None, str | None]]:
    return {change.part: (change.before, change.now) for change in found.changes}


def test_a_first_unit_ran_since_nothing_was_kept(bench: ReuseBench) -> None:
    run = bench.run(bench.step("blur"))
    found = explained(bench, run.id)

    assert (found.cached, found.former) == (False, None)
    assert found.reason == "Nothing like it was kept before."


def test_a_reused_unit_names_the_one_that_ran(bench: ReuseBench) -> None:
    first, second = bench.run(bench.step("blur")), bench.run(bench.step("blur"))
    found = explained(bench, second.id, 1)

    assert found.cached
    assert found.former is not None
    assert (found.former.run_id, found.former.index) == (first.id, 1)
    assert found.changes == ()


def test_a_changed_argument_is_named_with_both_values(bench: ReuseBench) -> None:
    first = bench.run(bench.step("blur", sigma=1))
    second = bench.run(bench.step("blur", sigma=2))
    found = explained(bench, second.id)

    assert found.former is not None
    assert (found.former.run_id, found.former.same_item) == (first.id, True)
    assert changes(found) == {"argument sigma": ("1", "2")}


def test_a_changed_member_of_an_argument_is_named_by_its_path(bench: ReuseBench) -> None:
    bench.run(bench.step("blur", model={"kind": {"size": 1, "depth": 3}}))
    second = bench.run(bench.step("blur", model={"kind": {"size": 2, "depth": 3}}))

    assert changes(explained(bench, second.id)) == {"argument model.kind.size": ("1", "2")}


def test_a_changed_file_of_an_item_is_named(bench: ReuseBench) -> None:
    item = bench.data / "item-0"
    (item / "other.txt").write_text("as it was")
    bench.run(bench.step("blur"))
    (item / "data.txt").write_text("something else")
    (item / "more.txt").write_text("more")
    second = bench.run(bench.step("blur"))
    [change] = explained(bench, second.id).changes

    assert change.part == f"input {item}"
    assert change.details == ("data.txt changed", "more.txt is new")


def test_changed_code_is_named_by_its_module(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    bench.helper.write_text(bench.helper.read_text() + "MORE = 1\n")
    second = bench.run(bench.step("blur"))
    [change] = explained(bench, second.id).changes

    assert change.part == "code"
    assert change.details == (f"{bench.helper.stem} changed",)


def test_packages_of_an_environment_that_is_not_treadles_are_named_with_their_versions(
    bench: ReuseBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for installed in (["numpy-2.4", "gone-1"], ["numpy-2.5", "new-3"]):
        names = [f"python3.11/{name}.dist-info" for name in installed]
        monkeypatch.setattr("treadle.compile.unit_code._distributions", lambda _, names=names: names)
        run = bench.run(bench.step("blur"))
    [change] = explained(bench, run.id).changes

    assert change.part == "packages"
    assert change.details == ("gone 1 is gone", "new 3 is new", "numpy 2.4 -> 2.5")


def test_what_another_changed_of_the_outcome_is_named(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    (bench.data / "item-0-blurred" / "data.txt").write_text("spoilt")
    second = bench.run(bench.step("blur"))
    found = explained(bench, second.id)
    [change] = found.changes

    assert found.reason == "What a unit before it had left was changed since then."
    assert change.part == f"left {bench.data / 'item-0-blurred'}"
    assert change.details == ("data.txt changed",)


def test_what_was_changed_of_the_outcome_is_named_also_for_a_unit_that_failed(bench: ReuseBench) -> None:
    first = bench.run(bench.step("blur"))
    made = bench.data / "item-0-blurred"
    (made / "data.txt").unlink()
    (made / "data.txt").mkdir()
    (made / "data.txt" / "more").write_text("in the way")
    second = bench.run(bench.step("blur"))
    found = explained(bench, second.id)

    assert found.state is UnitState.FAILED
    assert found.reason == "What a unit before it had left is not what it was."
    assert found.former is not None
    assert found.former.run_id == first.id
    assert [(change.part, change.details) for change in found.changes] == [
        (f"left {made}", ("data.txt is gone", "data.txt/more is new"))
    ]


def test_an_item_changed_in_place_is_named(bench: ReuseBench) -> None:
    bench.run(bench.step("grow", cache=True))
    (bench.data / "item-1" / "data.txt").unlink()
    (bench.data / "item-1" / "data.txt").write_text("fresh")
    second = bench.run(bench.step("grow", cache=True))
    [change] = explained(bench, second.id, 1).changes

    assert change.part == f"left {bench.data / 'item-1'}"


def test_a_unit_on_a_new_item_is_compared_with_the_one_most_like_it(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    for path in (bench.data / "item-1").iterdir():
        path.unlink()
    run = bench.run(bench.step("make", source=str(bench.code)))
    found = explained(bench, run.id)
    assert found.former is None

    other = bench.run(bench.step("make", source=str(bench.helper)))
    assert changes(explained(bench, other.id)).keys() >= {"argument source"}


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ({"cache": False}, "Its step reuses nothing."),
        ({"cache": "refresh"}, "Its step says refresh: units run whatever is kept of them."),
        ({"model": "s3://bucket/model"}, "It cannot be reused: s3://bucket/model is not in a file system"),
    ],
)
def test_a_unit_that_cannot_be_reused_says_why(bench: ReuseBench, step: dict[str, Any], reason: str) -> None:
    run = bench.run(bench.step("blur", **step))

    assert explained(bench, run.id).reason.startswith(reason)


def test_a_failed_unit_is_compared_as_its_inputs_are_now(bench: ReuseBench) -> None:
    bench.run(bench.step("blur", sigma=1))
    run = bench.run(bench.step("blur", sigma="many"))

    assert "argument sigma" in changes(explained(bench, run.id))


def test_a_unit_that_there_is_not_is_an_error(bench: ReuseBench) -> None:
    run = bench.run(bench.step("blur"))

    with pytest.raises(UnknownName, match="no unit 7"):
        explained(bench, run.id, 7)


def test_environments_differ_by_versions_builds_and_interpreter(bench: ReuseBench) -> None:
    locks = {
        "one": "numpy==2.0 --hash=sha256:a\nscipy==1.0 --hash=sha256:b\nzarr==3.0 --hash=sha256:c\n",
        "two": "numpy==2.1 --hash=sha256:d\nscipy==1.0 --hash=sha256:e\ndask==1.0 --hash=sha256:f\n",
    }
    with bench.ledger.writing() as tx:
        for number, (name, lock) in enumerate(locks.items()):
            packages.add_environment(
                tx,
                environment_id=name,
                lock=lock,
                python="/python",
                python_version=f"3.{number + 11}",
                path="/e",
                build_seconds=0,
                size_bytes=0,
            )
    with bench.ledger.reading() as tx:
        found = list(environment_changes(tx, "one", "two"))
        unknown = list(environment_changes(tx, "one", "three"))

    assert found == [
        "Python 3.11 -> 3.12",
        "dask==1.0 is new",
        "numpy 2.0 -> 2.1",
        "scipy 1.0 was built anew",
        "zarr==3.0 is gone",
    ]
    assert unknown == ["of three nothing is recorded any more"]


def test_records_survive_the_database(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    assert isinstance(bench.cache, Cache)
    calls = bench.cache.calls
    assert isinstance(calls, SqlCalls)
    calls.close()
    bench.cache = Cache(VoidValues(), SqlCalls(bench.folder / "calls.db"))

    assert bench.run(bench.step("blur")).cached == 2

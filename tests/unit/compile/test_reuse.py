"""Units are reused as long as nothing that they read, ran or left has changed; never otherwise."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from treadle.cache.caches.base import BaseCache, Prepared
from treadle.cache.caches.cached_call import Cached
from treadle.cache.keys.digest import Digest
from treadle.cache.records import SealedCall
from treadle.cache.storages.ports import Lease, Template
from treadle.compile.observer import Observer
from treadle.compile.taking_up import take_up
from treadle.compile.unit_code import UnitCode
from treadle.errors import CacheUnavailable
from treadle.ledger import Ledger, sqlite_url, units
from treadle.ledger.packages import add_package
from treadle.model.states import RunState, UnitState
from treadle.model.task import Part, TaskPart
from treadle.testing.reuse import ReuseBench


class MemoryCache(BaseCache):
    """Records in a dictionary; may be out of order."""

    def __init__(self) -> None:
        self.records: dict[Digest, Cached] = {}
        self.is_down = False

    def lookup(self, key: Digest) -> Cached | None:
        self._check()
        return self.records.get(key)

    def adopt(self, cached: Cached) -> None:
        self._check()
        self.records[cached.record.key] = cached

    def _check(self) -> None:
        if self.is_down:
            raise CacheUnavailable("The cache is down.")

    def prepare(self, call: SealedCall, lease: Lease | None = None) -> Prepared:
        raise NotImplementedError

    def load_value(self, digest: Digest) -> object:
        raise NotImplementedError

    def evict(self, key: Digest) -> int:
        raise NotImplementedError

    def find(self, template: Template) -> Iterator[Cached]:
        raise NotImplementedError

    def starting_with(self, prefix: str) -> list[Digest]:
        raise NotImplementedError


NewBench = Callable[..., ReuseBench]


@pytest.fixture
def new_bench(tmp_path: Path) -> Iterator[NewBench]:
    with Ledger(sqlite_url(tmp_path / "ledger.db")) as ledger:

        def make(pure: Collection[str] = ("blur", "make"), items: int = 2) -> ReuseBench:
            bench = ReuseBench(ledger, tmp_path, MemoryCache(), frozenset(pure))
            bench.add_items(items)
            return bench

        yield make


@pytest.fixture
def bench(new_bench: NewBench) -> ReuseBench:
    return new_bench()


def cached(bench: ReuseBench, run_id: int, position: int = 0) -> list[bool]:
    return [unit.cached for unit in bench.units(run_id, position)]


def test_units_of_a_pure_task_are_reused_with_their_output(bench: ReuseBench) -> None:
    first, second = bench.run(bench.step("blur")), bench.run(bench.step("blur"))

    assert bench.take_ran() == ["blur item-0", "blur item-1"]
    assert second.state is RunState.DONE
    assert cached(bench, first.id) == [False, False]
    assert cached(bench, second.id) == [True, True]
    assert [one.output for one in bench.units(first.id)] == [one.output for one in bench.units(second.id)]
    assert second.steps[0].cached == 2


def test_a_task_that_is_not_pure_runs_again(new_bench: NewBench) -> None:
    bench = new_bench(pure=())
    bench.run(bench.step("blur"))
    second = bench.run(bench.step("blur"))

    assert len(bench.take_ran()) == 4
    assert cached(bench, second.id) == [False, False]


@pytest.mark.parametrize("choice", [False, "refresh"])
def test_a_step_that_says_so_runs_again(bench: ReuseBench, choice: bool | str) -> None:
    bench.run(bench.step("blur"))
    bench.run(bench.step("blur", cache=choice))

    assert len(bench.take_ran()) == 4


def test_what_a_refreshed_unit_leaves_is_reused_later(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    bench.run(bench.step("blur", cache="refresh"))
    bench.take_ran()
    bench.run(bench.step("blur"))

    assert bench.take_ran() == []


def test_only_units_whose_item_changed_run_again(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    (bench.data / "item-1" / "data.txt").write_text("another;")
    bench.run(bench.step("blur"))

    assert bench.take_ran() == ["blur item-0", "blur item-1", "blur item-1"]


def test_a_unit_runs_again_when_another_has_changed_what_it_made(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    (bench.data / "item-0-blurred" / "data.txt").write_text("spoilt")
    run = bench.run(bench.step("blur"))

    assert bench.take_ran()[2:] == ["blur item-0"]
    assert (bench.data / "item-0-blurred" / "data.txt").read_text() == "of item-0;"
    assert cached(bench, run.id) == [False, True]


def test_a_unit_runs_again_when_what_it_made_is_gone(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    (bench.data / "item-0-blurred" / "data.txt").unlink()
    bench.run(bench.step("blur"))

    assert bench.take_ran()[2:] == ["blur item-0"]


def test_other_arguments_are_another_unit(bench: ReuseBench) -> None:
    bench.run(bench.step("blur", sigma=1))
    bench.run(bench.step("blur", sigma=2))

    assert len(bench.take_ran()) == 4


def test_a_file_that_an_argument_names_counts_by_what_it_is_like(bench: ReuseBench) -> None:
    model = bench.folder / "model.bin"
    model.write_text("weights")
    bench.run(bench.step("blur", model=str(model)))
    bench.run(bench.step("blur", model=str(model)))
    assert len(bench.take_ran()) == 2

    model.write_text("better weights")
    bench.run(bench.step("blur", model=str(model)))
    assert len(bench.take_ran()) == 2


@pytest.mark.parametrize(
    "spelled", ["model.bin", "./model.bin", "../{here}/model.bin", "~/model.bin", "file://{folder}/model.bin"]
)
def test_a_file_counts_however_an_argument_names_it(
    bench: ReuseBench, spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    monkeypatch.setenv("HOME", str(bench.folder))
    step = bench.step("blur", model=spelled.format(here=bench.folder.name, folder=bench.folder))
    model = bench.folder / "model.bin"
    model.write_text("weights")
    bench.run(step)
    bench.run(step)
    assert len(bench.take_ran()) == 2

    model.write_text("better weights")
    bench.run(step)
    assert len(bench.take_ran()) == 2


def test_a_word_that_is_also_the_name_of_a_folder_is_a_word(
    bench: ReuseBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(bench.folder)
    bench.run(bench.step("blur", model="data"))
    (bench.data / "more").mkdir()
    bench.run(bench.step("blur", model="data"))

    assert len(bench.take_ran()) == 2


def test_a_remote_argument_is_never_reused(bench: ReuseBench) -> None:
    for _ in range(2):
        run = bench.run(bench.step("blur", model="s3://bucket/model"))

    assert len(bench.take_ran()) == 4
    assert [unit.key for unit in bench.units(run.id)] == [None, None]


@pytest.mark.parametrize("file", ["code", "helper"])
def test_changed_code_runs_again_also_that_of_imported_modules(bench: ReuseBench, file: str) -> None:
    bench.run(bench.step("blur"))
    path: Path = getattr(bench, file)
    path.write_text(path.read_text() + "\nMORE = 1\n")
    bench.run(bench.step("blur"))

    assert len(bench.take_ran()) == 4


@pytest.mark.parametrize("file", ["code", "helper"])
def test_what_ran_of_code_that_was_another_before_is_not_kept_as_that_of_now(
    bench: ReuseBench, file: str
) -> None:
    """As where the workers of a notebook live on while a module is edited."""
    bench.run(bench.step("blur"))
    path: Path = getattr(bench, file)
    path.write_text(f"{path.read_text()}\nMORE = 1\n")
    bench.run(bench.step("blur"))
    bench.take_ran()
    bench.run(bench.step("blur"))

    assert bench.take_ran() == ["blur item-0", "blur item-1"]


def test_a_unit_whose_code_was_changed_while_the_step_ran_is_not_kept(bench: ReuseBench) -> None:
    before = bench.code.read_text()

    class Editing(Observer):
        def units_planned(self, _position: int, _count: int) -> None:
            bench.code.write_text(f"{before}\nMORE = 1\n")

    bench.run(bench.step("blur"), observer=Editing())
    bench.code.write_text(before)
    bench.take_ran()
    bench.run(bench.step("blur"))

    assert bench.take_ran() == ["blur item-0", "blur item-1"]


def test_a_module_counts_that_is_imported_from_elsewhere_and_is_not_installed(
    bench: ReuseBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = bench.folder / "elsewhere" / f"{bench.module}_lib"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("")
    (elsewhere / "deep.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(elsewhere.parent)
    bench.code.write_text(f"from {elsewhere.name} import deep\nimport pytest\n{bench.code.read_text()}")
    bench.run(bench.step("blur"))
    bench.run(bench.step("blur"))
    assert len(bench.take_ran()) == 2

    (elsewhere / "deep.py").write_text("x = 22\n")
    bench.run(bench.step("blur"))
    assert len(bench.take_ran()) == 2


def test_a_module_that_the_task_does_not_import_does_not_count(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    (bench.folder / "unrelated.py").write_text("x = 1\n")
    bench.run(bench.step("blur"))

    assert len(bench.take_ran()) == 2


def test_a_converter_is_reused_as_long_as_its_source_is_the_same(bench: ReuseBench) -> None:
    source = bench.folder / "raw.txt"
    source.write_text("raw")
    bench.run(bench.step("make", source=str(source)))
    bench.run(bench.step("make", source=str(source)))
    assert bench.take_ran() == ["make data"]

    source.write_text("raw, but more")
    bench.run(bench.step("make", source=str(source)))
    assert bench.take_ran() == ["make data"]


def test_failures_are_never_reused(new_bench: NewBench) -> None:
    bench = new_bench(pure=("break_",))
    for _ in range(2):
        run = bench.run(bench.step("break_"))

    assert run.state is RunState.FAILED
    assert len(bench.take_ran()) == 4


def test_a_chain_that_ends_in_place_ends_alike_when_it_runs_again(bench: ReuseBench) -> None:
    chain = [bench.step("blur"), bench.step("grow", cache=True, needs=["blur"], by=2)]
    bench.run(*chain)

    bench.run(*chain)

    assert (bench.data / "item-0-blurred" / "data.txt").read_text() == "of item-0;++"


def test_an_item_that_was_worked_on_in_place_is_not_worked_on_again(bench: ReuseBench) -> None:
    bench.run(bench.step("grow", cache=True))
    run = bench.run(bench.step("grow", cache=True))

    assert bench.take_ran() == ["grow item-0", "grow item-1"]
    assert cached(bench, run.id) == [True, True]


def test_an_item_that_was_changed_after_it_was_worked_on_is_worked_on_again(bench: ReuseBench) -> None:
    bench.run(bench.step("grow", cache=True))
    (bench.data / "item-0" / "data.txt").write_text("fresh")
    bench.run(bench.step("grow", cache=True))

    assert bench.take_ran()[2:] == ["grow item-0"]
    assert (bench.data / "item-0" / "data.txt").read_text() == "fresh+"


def test_a_second_step_that_does_the_same_in_place_is_not_the_first(bench: ReuseBench) -> None:
    bench.run(bench.step("grow", cache=True), bench.step("grow", cache=True, name="again", needs=["grow"]))

    assert (bench.data / "item-0" / "data.txt").read_text() == "of item-0;++"


def test_in_place_work_is_not_reused_unless_the_step_says_so(bench: ReuseBench) -> None:
    bench.run(bench.step("grow"))
    bench.run(bench.step("grow"))

    assert len(bench.take_ran()) == 4


def test_a_task_that_calls_itself_pure_but_works_in_place_is_not_reused(
    new_bench: NewBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench = new_bench(pure=("grow",))
    bench.run(bench.step("grow"))
    bench.run(bench.step("grow"))

    assert len(bench.take_ran()) == 4
    assert "are not pure" in caplog.text


def test_items_that_were_reused_go_on_to_the_next_step(bench: ReuseBench) -> None:
    bench.run(bench.step("blur"))
    run = bench.run(bench.step("blur"), bench.step("grow", needs=["blur"]))

    assert run.state is RunState.DONE
    assert sorted(bench.take_ran()[2:]) == ["grow item-0-blurred", "grow item-1-blurred"]


def test_units_of_a_resumed_run_that_are_done_are_not_looked_up(bench: ReuseBench) -> None:
    run_id = bench.submit(bench.step("blur"))
    done = bench.run(bench.step("blur"))
    context = bench.context(run_id)
    with bench.ledger.reading() as tx:
        planned = [known.unit for known in units.load_planned(tx, done.id, 0)]
        [first, _] = units.load_done(tx, done.id, 0)
    with context.writing() as tx:
        units.plan_units(tx, run_id, 0, planned)
        units.record_units(tx, run_id, 0, [first])
    bench.drive(run_id)

    assert cached(bench, run_id) == [False, True]
    assert [unit.state for unit in bench.units(run_id)] == [UnitState.DONE, UnitState.DONE]


def test_a_unit_that_failed_in_this_run_may_be_reused_when_it_is_resumed(bench: ReuseBench) -> None:
    run_id = bench.submit(bench.step("blur"))
    source = bench.data / "item-0" / "data.txt"
    text, status = source.read_text(), source.stat()
    source.unlink()
    assert bench.drive(run_id).state is RunState.FAILED

    source.write_text(text)
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    bench.run(bench.step("blur"))
    bench.take_ran()
    assert bench.drive(run_id).state is RunState.DONE
    assert bench.take_ran() == []


@pytest.mark.parametrize(("task", "cache"), [("blur", None), ("grow", True)])
def test_a_unit_that_ended_after_its_driver_is_kept_when_the_run_is_taken_up(
    bench: ReuseBench, task: str, cache: bool | None
) -> None:
    run_id = bench.submit(bench.step(task, cache))
    bench.lose(run_id)
    unheard = bench.take_ran()
    take_up(bench.context(run_id), "flow-run")
    bench.run(bench.step(task, cache))

    assert unheard == [f"{task} item-0"]
    assert bench.take_ran() == [f"{task} item-1"]


@pytest.mark.parametrize("changed", ["data/item-0/data.txt", "model.bin", "helper"])
def test_a_unit_that_ended_after_its_driver_is_not_kept_if_what_it_read_has_changed(
    bench: ReuseBench, changed: str
) -> None:
    (bench.folder / "model.bin").write_text("weights")
    step = bench.step("blur", model=str(bench.folder / "model.bin"))
    run_id = bench.submit(step)
    bench.lose(run_id)
    file = bench.helper if changed == "helper" else bench.folder / changed
    file.write_text(f"{file.read_text()}\n# changed\n")
    take_up(bench.context(run_id), "flow-run")
    bench.take_ran()
    bench.run(step)

    assert bench.take_ran() == ["blur item-0", "blur item-1"]


def test_a_cache_that_is_down_costs_nothing_but_a_warning(
    bench: ReuseBench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.run(bench.step("blur"))
    assert isinstance(bench.cache, MemoryCache)
    bench.cache.is_down = True
    run = bench.run(bench.step("blur"))

    assert run.state is RunState.DONE
    assert len(bench.take_ran()) == 4
    assert caplog.text.count("units_not_reused") == 1


def test_an_observer_hears_how_many_units_were_reused(bench: ReuseBench) -> None:
    heard: list[tuple[int, int]] = []

    class Listening(Observer):
        def units_reused(self, position: int, count: int) -> None:
            heard.append((position, count))

    bench.run(bench.step("blur"), observer=Listening())
    bench.run(bench.step("blur"), observer=Listening())

    assert heard == [(0, 2)]


@pytest.mark.parametrize("by_content", [False, True])
def test_a_file_that_was_written_anew_alike_counts_by_time_or_by_content(
    bench: ReuseBench, by_content: bool
) -> None:
    bench.by_content = by_content
    bench.run(bench.step("blur"))
    data = bench.data / "item-0" / "data.txt"
    text = data.read_text()
    data.unlink()
    data.write_text(text)
    bench.run(bench.step("blur"))

    assert bench.take_ran()[2:] == ([] if by_content else ["blur item-0"])


def test_a_unit_of_which_nothing_can_be_looked_at_is_not_reused(bench: ReuseBench) -> None:
    for _ in range(2):
        bench.run(bench.step("scatter", cache=True))

    assert len(bench.take_ran()) == 2


def test_packages_count_where_the_environment_is_not_treadles(
    bench: ReuseBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.run(bench.step("blur"))
    monkeypatch.setattr("treadle.compile.unit_code._distributions", lambda _: ["numpy-2.5.dist-info"])
    bench.run(bench.step("blur"))

    assert len(bench.take_ran()) == 4


def test_an_editable_package_counts_by_its_sources(new_bench: NewBench) -> None:
    bench = new_bench()
    project = bench.folder / "project"
    (project / "src").mkdir(parents=True)
    (project / "src" / "tasks.py").write_text("x = 1\n")
    (project / ".git").mkdir()
    task = bench.installed("blur")
    with bench.ledger.writing() as tx:
        add_package(
            tx,
            name="cells",
            version="1",
            origin="editable",
            source=str(project),
            environment_id=task.installed.environment,
            root=task.installed.root,
            tasks=[],
        )
    part = Part.PARALLEL
    task = task.model_copy(
        update={"task": task.task.model_copy(update={part: TaskPart(executable="run.py")})}
    )
    before, _ = UnitCode(bench.ledger, task).parts(part)
    (project / ".git" / "index.json").write_text("{}")
    (project / "notes.txt").write_text("no code")
    assert UnitCode(bench.ledger, task).parts(part)[0] == before

    package = project / "src" / "cells"
    (package / "build").mkdir(parents=True)
    for file in ("__init__.py", "build/steps.py", "build/table.csv"):
        (package / file).write_text("1\n")
        with_file, _ = UnitCode(bench.ledger, task).parts(part)
        assert with_file["code"] != before["code"]
        before = with_file
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "steps.pyc").write_bytes(b"compiled")
    assert UnitCode(bench.ledger, task).parts(part)[0] == before
    shutil.rmtree(package)
    before, _ = UnitCode(bench.ledger, task).parts(part)

    (project / "src" / "tasks.py").write_text("x = 2\n")
    changed, files = UnitCode(bench.ledger, task).parts(part)
    assert changed["code"] != before["code"]
    assert files is not None
    assert list(files.parts) == ["src/tasks.py"]


def test_an_environment_of_treadles_own_tells_all_by_its_name(new_bench: NewBench) -> None:
    bench = new_bench()
    task = bench.installed("blur")
    other = task.model_copy(
        update={"task": task.task.model_copy(update={"parallel": TaskPart(executable="run.py")})}
    )
    with bench.ledger.writing() as tx:
        add_package(
            tx,
            name="cells",
            version="2",
            origin="index",
            source="cells==2",
            environment_id=task.installed.environment,
            root=task.installed.root,
            tasks=[],
        )
    built = other.model_copy(update={"task": other.task.model_copy(update={"version": "2"})})
    parts, code = UnitCode(bench.ledger, built).parts(Part.PARALLEL)

    assert set(parts) == {"environment", "task", "program"}
    assert code is None


def test_the_version_of_a_python_that_treadle_did_not_build_counts(new_bench: NewBench) -> None:
    bench = new_bench()
    task = bench.installed("blur")
    prefix = bench.folder / "venv"
    at = task.installed.model_copy(update={"python": str(prefix / "bin" / "python")})
    found = []
    for version in ("python3.11", "python3.12"):
        site = prefix / "lib" / version / "site-packages"
        (site / "numpy-2.5.dist-info").mkdir(parents=True)
        parts, _ = UnitCode(bench.ledger, task.model_copy(update={"installed": at})).parts(Part.PARALLEL)
        found.append(parts["packages"])
        shutil.rmtree(prefix)

    assert found[0] != found[1]

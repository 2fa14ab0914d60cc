"""What a process keeps open: clusters that several runs use, and the books of their jobs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from treadle import clusters
from treadle.authoring import held
from treadle.clusters.port import JobBook, JobOver, JobStarted
from treadle.errors import UsageError
from treadle.execute import worker
from treadle.settings import Settings


@dataclass
class Book:
    """A book that remembers."""

    jobs: list[str] = field(default_factory=list)

    def started(self, job: JobStarted) -> None:
        self.jobs.append(f"{job.id} started")

    def over(self, job: JobOver) -> None:
        self.jobs.append(f"{job.id} over")


@dataclass
class FakeCluster:
    """A cluster that counts how often it is open."""

    name: str
    slots: int = 1
    open: int = 0
    book: JobBook | None = None

    def report_to(self, book: JobBook) -> None:
        self.book = book

    def __enter__(self) -> FakeCluster:
        self.open += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.open -= 1


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeCluster]]:
    made: list[FakeCluster] = []

    def open_cluster(name: str, _settings: Settings) -> FakeCluster:
        made.append(FakeCluster(name))
        return made[-1]

    monkeypatch.setattr(clusters, "open_cluster", open_cluster)
    yield made
    held.close()


def started(number: str) -> Any:
    return JobStarted(id=number, name=number, cluster="slurm", shape="", cpus=1, memory_mb=None)


def over(number: str) -> Any:
    return JobOver(number, "COMPLETED", "n1", None, None, None, None, None, "")


def test_runs_after_and_beside_one_another_share_a_cluster(opened: list[FakeCluster], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with held.cluster("local", settings), held.cluster("local", settings) as second:
        assert (second.name, second.slots) == ("local", 1)
    with held.cluster("local", settings), held.cluster("slurm", settings):
        assert [cluster.open for cluster in opened] == [1, 1]
    assert [cluster.name for cluster in opened] == ["local", "slurm"]


def test_what_is_closed_is_opened_anew(opened: list[FakeCluster], tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with held.cluster("local", settings):
        pass
    held.close()
    with held.cluster("local", settings):
        assert [cluster.open for cluster in opened] == [0, 1]


def test_an_idle_cluster_is_closed_by_itself(
    opened: list[FakeCluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce:
        def __init__(self, _seconds: float, function: Any) -> None:
            self.daemon = False
            self._function = function

        def start(self) -> None:
            self._function()

        def cancel(self) -> None: ...

    monkeypatch.setattr(held.threading, "Timer", AtOnce)
    with held.cluster("local", Settings(home=tmp_path)):
        assert opened[0].open == 1
    assert opened[0].open == 0


def test_a_job_is_written_down_where_it_was_started(opened: list[FakeCluster], tmp_path: Path) -> None:
    settings, first, second = Settings(home=tmp_path), Book(), Book()
    with held.cluster("slurm", settings) as one:
        one.report_to(first)
        book = opened[0].book
        assert book is not None
        book.started(started("1"))
        with held.cluster("slurm", settings) as other:
            other.report_to(second)
            book.started(started("2"))
            book.over(over("1"))
        book.started(started("3"))
        book.over(over("2"))
    book.over(over("3"))
    assert first.jobs == ["1 started", "1 over", "3 started", "3 over"]
    assert second.jobs == ["2 started", "2 over"]


def test_a_worker_has_no_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_given_name", ["local-1"])
    with pytest.raises(UsageError, match="__main__"):
        held.session()

"""What every step of one run shares."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from treadle.cache.caches.base import BaseCache
from treadle.clusters.port import Cluster
from treadle.compile.observer import Observer
from treadle.compile.scope import EVERYTHING, Scope
from treadle.ledger import Ledger, Transaction, leases
from treadle.model.plan import Plan
from treadle.model.profile import THIS_MACHINE, ClusterProfile


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run on its way: what is run, where, and who is told.

    Attributes:
        driver: Name under which this process holds the run's lease.
        log_folder: Folder of the run's log files, one a worker and step, and of its journals.
        unit_environment: Variables that every unit gets.
        profile: What is known of the plan's cluster.
        scope: What is to be done of the run.
        stop: Set to end the run early; steps then end as cancelled.
        settled: Set when the ledger has the end of the run.
        cache: Where units are kept that others may reuse; None: nothing is reused.
        by_content: Whether files that units read and leave count by what is in them.
    """

    run_id: int
    driver: str
    plan: Plan
    dataset_id: int
    ledger: Ledger
    cluster: Cluster
    observer: Observer
    log_folder: Path
    unit_environment: dict[str, str]
    profile: ClusterProfile = THIS_MACHINE
    scope: Scope = EVERYTHING
    stop: threading.Event = field(default_factory=threading.Event)
    settled: threading.Event = field(default_factory=threading.Event)
    cache: BaseCache | None = None
    by_content: bool = False

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A writing transaction about this run; all that is written about a run is written through this.

        Raises:
            LeaseLost: Another process drives the run: nothing is written.
        """
        with self.ledger.writing() as tx:
            leases.confirm(tx, self.run_id, self.driver)
            yield tx

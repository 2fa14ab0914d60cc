"""What every step of one run shares."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from treadle.clusters.port import Cluster
from treadle.compile.observer import Observer
from treadle.ledger import Ledger
from treadle.model.plan import Plan


@dataclass(frozen=True, slots=True)
class RunContext:
    """One run on its way: what is run, where, and who is told.

    Attributes:
        log_folder: Folder of the run's log files, one a worker and step.
        unit_environment: Variables that every unit gets.
        stop: Set to end the run early; steps then end as cancelled.
    """

    run_id: int
    plan: Plan
    dataset_id: int
    ledger: Ledger
    cluster: Cluster
    observer: Observer
    log_folder: Path
    unit_environment: dict[str, str]
    stop: threading.Event = field(default_factory=threading.Event)

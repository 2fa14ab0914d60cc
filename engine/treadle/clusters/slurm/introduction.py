"""What the workers of a run's jobs must know, in a file that nobody else can read.

It lies in a folder of mode 0700 on storage that the nodes share, so that no secret is on a command line, in
a job script or in SLURM's records.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "introduction.json"


@dataclass(frozen=True, slots=True)
class Introduction:
    """How a worker finds the scheduler, and each knows the other.

    Attributes:
        scheduler: Address of the scheduler.
        authority: Certificate that both sides trust.
        certificate: The workers' own.
        key: Its private key.
        module_path: Where workers find modules, as the driver does.
        patience_seconds: How long a worker tries to reach the scheduler.
        local_directory: Folder on the node for the worker's own folder; None for the node's temporary one.
        home: The home folder, unless the job's variables name another; None: the one of whom it runs for.
    """

    scheduler: str
    authority: str
    certificate: str
    key: str
    module_path: list[str]
    patience_seconds: float
    local_directory: str | None
    home: str | None

    def write(self, folder: Path) -> None:
        """Write it into an existing private folder."""
        descriptor = os.open(folder / FILE_NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)

    @classmethod
    def read(cls, folder: Path) -> Introduction:
        """Read it.

        Raises:
            OSError: It is not there any more: the driver has ended.
        """
        return cls(**json.loads((folder / FILE_NAME).read_text(encoding="utf-8")))

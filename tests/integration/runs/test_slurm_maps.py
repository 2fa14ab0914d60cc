"""Functions that a script maps over values in SLURM jobs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SCRIPT = """
import json, os
import treadle

@treadle.cached
def job_of(x: int) -> str:
    return f"{x} in {os.environ.get('SLURM_JOB_ID', 'none')}"

if __name__ == "__main__":
    on_cluster = treadle.load_function(job_of).with_options(cluster="slurm")
    print(json.dumps({"there": on_cluster.map([1, 2]), "here": [job_of(x) for x in (1, 2, 3)]}))
"""


def test_what_a_cached_function_gave_in_a_job_is_not_computed_again_here(slurm_run: Any) -> None:
    file = slurm_run.folder / "study.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(file)],
        env=slurm_run.treadle.environment,
        cwd=slurm_run.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])

    assert set(slurm_run.jobs()) >= {answer.split()[-1] for answer in said["there"]}
    assert said["here"] == [*said["there"], "3 in none"]

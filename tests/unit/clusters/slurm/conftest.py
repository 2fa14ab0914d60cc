"""What the tests of SLURM's parts share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from treadle.testing.fake_slurm import FakeSlurm

SAMPLES = Path(__file__).parents[1] / "slurm_samples"


@pytest.fixture(params=sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
def sample(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """How that version of SLURM answered: the text of a sample by its name."""
    return lambda name: (SAMPLES / request.param / name).read_text()


@pytest.fixture
def fake() -> FakeSlurm:
    """A pretended SLURM without jobs."""
    return FakeSlurm()

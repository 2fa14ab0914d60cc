import gc

import pytest

from treadle.runs.garbage import rarer_collections


def test_the_collector_looks_less_often_and_then_as_before_even_after_an_error() -> None:
    before = gc.get_threshold()
    inside = []

    def fail() -> None:
        with rarer_collections():
            inside.append((gc.isenabled(), gc.get_threshold()[0]))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    [(enabled, allocations)] = inside
    assert enabled
    assert allocations > 10 * before[0]
    assert gc.get_threshold() == before

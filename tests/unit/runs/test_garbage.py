import gc

import pytest

from treadle.runs.garbage import rarer_collections


def test_the_collector_looks_less_often_and_then_as_before_even_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(RuntimeError), rarer_collections():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > 10 * before[0]
        raise RuntimeError
    assert gc.get_threshold() == before

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.compile.batching import SECONDS_AT_LEAST, SECONDS_BESIDE, SECONDS_PER_BATCH, BatchSizer

seconds = st.floats(min_value=0, max_value=1e4)


@given(slots=st.integers(1, 500), remaining=st.integers(1, 10**6))
def test_before_any_measurement_units_travel_alone(slots: int, remaining: int) -> None:
    """An unknown unit may take a day: a full batch of them would leave the other slots idle."""
    assert BatchSizer().next_size(remaining, slots) == 1


@given(slots=st.integers(1, 500), remaining=st.integers(1, 10**6), measured=st.lists(seconds, min_size=1))
def test_a_batch_is_never_empty_nor_more_than_a_slots_share_of_what_is_worth_a_message(
    slots: int, remaining: int, measured: list[float]
) -> None:
    sizer = BatchSizer()
    for duration in measured:
        sizer.measured(duration)
    size = sizer.next_size(remaining, slots)
    assert 1 <= size <= remaining
    share, worth_a_message = -(-remaining // (2 * slots)), SECONDS_AT_LEAST / SECONDS_BESIDE
    assert size == 1 or size <= max(share, worth_a_message)


@given(duration=st.floats(min_value=1e-4, max_value=100))
def test_a_batch_holds_about_a_second_of_work(duration: float) -> None:
    sizer = BatchSizer()
    sizer.measured(duration)
    size = sizer.next_size(10**9, 4)
    assert size == 1 or size * duration <= SECONDS_PER_BATCH


def test_units_that_take_no_time_still_come_back_about_once_a_second() -> None:
    sizer = BatchSizer()
    sizer.measured(1e-6)
    assert sizer.next_size(10**9, 4) == pytest.approx(SECONDS_PER_BATCH / SECONDS_BESIDE)


@pytest.mark.parametrize(("duration", "last"), [(0.001, 30), (0.01, 3), (0.1, 1)])
def test_the_last_batches_are_worth_their_messages(duration: float, last: int) -> None:
    sizer = BatchSizer()
    sizer.measured(duration)
    assert sizer.next_size(last, 4) == last
    assert sizer.next_size(last + 1, 4) == last
    assert sizer.next_size(1, 4) == 1


def test_batches_shrink_towards_the_end_of_a_step() -> None:
    sizer = BatchSizer()
    sizer.measured(0.01)
    remaining, sizes = 500, []
    while remaining:
        sizes.append(sizer.next_size(remaining, 4))
        remaining -= sizes[-1]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 50
    assert sizes[-4:-1] == [3, 3, 3]

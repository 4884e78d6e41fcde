"""What the loop ends with: the times between its steps, and one sentence of what did not happen as it should."""

from datetime import UTC, datetime, timedelta

import pytest

from tidemill.demo.loop.asking import Asked
from tidemill.demo.loop.moments import Kind, Moment
from tidemill.demo.loop.report import check, steps_of
from tidemill.demo.loop.timeline import LoopError

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUN = (
    (-60, Kind.PROMOTED),  # the first model
    (-30, Kind.QUIET_LOOK),
    (0, Kind.PLANTED),
    (90, Kind.DRIFT),
    (92, Kind.REQUESTED),
    (150, Kind.DRIFT),  # the next look finds it still there
    (160, Kind.CLAIMED),
    (250, Kind.PASSED),
    (300, Kind.BEGUN),
    (360, Kind.STEP),
    (480, Kind.PROMOTED),
    (700, Kind.BEGUN),
    (760, Kind.TAKEN_BACK),
)


def moments(run: tuple[tuple[int, Kind], ...] = RUN) -> list[Moment]:
    return [Moment(NOON + timedelta(seconds=after), kind, kind.value, f"{kind} {after}") for after, kind in run]


def test_the_steps_have_the_time_since_the_one_before_and_since_the_change() -> None:
    assert list(steps_of(moments())) == [
        ("behaviour changed", "12:00:00", "", "0:00"),
        ("drift was found", "12:01:30", "1:30", "1:30"),
        ("a new model was requested", "12:01:32", "0:02", "1:32"),
        ("the request was claimed", "12:02:40", "1:08", "2:40"),
        ("it passed the gates", "12:04:10", "1:30", "4:10"),
        ("its canary began", "12:05:00", "0:50", "5:00"),
        ("its next step", "12:06:00", "1:00", "6:00"),
        ("it was the champion", "12:08:00", "2:00", "8:00"),
        ("its canary began", "12:11:40", "3:40", "11:40"),
        ("a guard took it back", "12:12:40", "1:00", "12:40"),
    ]


def test_a_loop_without_a_failed_request_that_was_in_time_is_right() -> None:
    check(moments(), Asked(requests=900))


def test_a_request_that_failed_is_told_with_what_it_was() -> None:
    with pytest.raises(LoopError, match="2 of 900 requests failed: 503: no champion"):
        check(moments(), Asked(requests=900, failed=2, failures=["503: no champion"]))


def test_a_loop_that_took_too_long_is_told() -> None:
    late = (*RUN[:-3], (901, Kind.PROMOTED))
    with pytest.raises(LoopError, match="to the new champion it took 15:01, 15:00 is what it may"):
        check(moments(late), Asked(requests=900))

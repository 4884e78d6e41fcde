"""Memory over time: what grows within its bounds and what leaks, across restarts."""

import pytest

from tests.soak.health import Growth, Sample, growth


def samples(started: float, sizes: list[float], every_s: float = 60.0) -> list[Sample]:
    return [Sample(started + number * every_s, started, size) for number, size in enumerate(sizes)]


def found(seen: list[Sample]) -> Growth:
    measured = growth("stream", seen)
    assert measured is not None
    return measured


def test_a_slope_is_that_within_lives_and_a_restart_is_no_growth() -> None:
    first = samples(0.0, [100.0 + number for number in range(20)])
    second = samples(2000.0, [400.0 + number for number in range(20)])
    short = samples(4000.0, [100.0 * number for number in range(10)])
    measured = found([*first, *second, *short])
    assert measured.slope == pytest.approx(60.0)  # a megabyte a minute
    assert measured.lives == 3
    assert found(short).slope is None


def test_young_processes_are_left_out() -> None:
    measured = found(samples(0.0, [10.0, 50.0, 60.0, *[100.0] * 9]))
    assert (measured.first_mb, measured.last_mb, measured.samples) == (100.0, 100.0, 9)
    assert growth("stream", samples(0.0, [10.0] * 4)) is None


@pytest.mark.parametrize(
    ("first", "last", "is_leak"),
    [(1000.0, 1200.0, False), (100.0, 190.0, False), (1000.0, 1300.0, True), (500.0, 100.0, False)],
    ids=["a fifth more", "less than its allowance", "both", "less"],
)
def test_a_leak_is_beyond_a_share_and_an_amount(first: float, last: float, is_leak: bool) -> None:
    sizes = [0.0, 0.0, 0.0, *[first] * 5, *[(first + last) / 2] * 5, *[last] * 5]
    assert found(samples(0.0, sizes)).is_leak == is_leak

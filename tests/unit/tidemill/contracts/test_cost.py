"""No message costs more than a bounded time a byte: four times the length may cost no more than eight times as much.

Of a cost that grows with the square it would be sixteen. Times are compared with each other in one run, none by itself.
"""

import time

import pytest

from tests.cases import adversarial
from tidemill.contracts import Checker

CHECKER = Checker(adversarial.CONTRACT)
SHORT, LONG = 1 << 15, 1 << 17
GROWTH = 2 * LONG / SHORT
ATTEMPTS = 5


def cost(message: bytes) -> int:
    """Nanoseconds of this process; the least of some runs, since whatever disturbs adds."""
    least = 1 << 62
    for _ in range(3):
        began = time.process_time_ns()
        CHECKER.read(message)
        least = min(least, time.process_time_ns() - began)
    return max(least, 1)


@pytest.mark.parametrize("name", sorted(adversarial.SHAPES))
def test_the_cost_grows_with_the_length(name: str) -> None:
    shape = adversarial.SHAPES[name]
    short, long = shape(SHORT), shape(LONG)
    assert len(long) < 5 * len(short)
    floor = cost(adversarial.plain(SHORT))
    growths = []
    for _ in range(ATTEMPTS):
        growths.append(cost(long) / max(cost(short), floor))
        if growths[-1] <= GROWTH:
            return
    raise AssertionError(f"{name}: four times the length cost {min(growths):.1f} times as much")


def test_a_cost_that_grows_with_the_square_would_be_seen() -> None:
    def square(length: int) -> int:
        began = time.process_time_ns()
        text = "a" * length
        sum(text[at:].count("b") for at in range(0, length, 64))
        return time.process_time_ns() - began

    assert max(square(LONG) / square(SHORT) for _ in range(2)) > GROWTH

"""Which faults a soak has."""

import itertools
from collections import Counter

import pytest

from tests.soak.plan import KEEP_COPY, KILLED, LOSE_KEYS, ONCE, ROLL_BACK, is_possible, kill, plan


@pytest.mark.parametrize("hours", [0.1, 1.0])
def test_what_happens_once_happens_once_and_in_order(hours: float) -> None:
    faults = plan(hours * 3600, seed=3)
    kinds = [fault.kind for fault in faults]
    assert [kind for kind in kinds if kind in ONCE] == sorted(ONCE, key=lambda kind: ONCE[kind])
    assert kinds.index(KEEP_COPY) < kinds.index(ROLL_BACK)
    assert kinds.count(LOSE_KEYS) >= 1
    assert faults == sorted(faults, key=lambda fault: fault.at)
    assert all(0 < fault.at <= hours * 3600 - 60 for fault in faults)


def test_every_two_minutes_something_is_killed_and_nothing_much_more_often_than_another() -> None:
    kills = [fault for fault in plan(3600, seed=1) if fault.kind.startswith(kill(""))]
    assert {after.at - before.at for before, after in itertools.pairwise(kills)} == {120.0}
    counts = Counter(fault.kind for fault in kills)
    assert set(counts) == {kill(what) for what in KILLED}
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_seed_is_an_order_of_faults() -> None:
    assert plan(3600, seed=5) == plan(3600, seed=5)
    assert plan(3600, seed=5) != plan(3600, seed=6)


def test_a_fault_waits_for_the_service_that_it_is_done_to_and_a_kill_for_none() -> None:
    assert not is_possible(LOSE_KEYS, {"redis", "stream"})
    assert is_possible(LOSE_KEYS, {"stream"})
    assert is_possible(kill("redis"), {"redis"})

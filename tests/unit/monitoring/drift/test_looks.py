"""Looks at one reference spend no more than the budget in any week, whoever looks whenever."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.drift import Budget, EarlierLookError, EffectLimits, Looks
from monitoring.drift.limits import EffectLimitError
from monitoring.drift.looks import BudgetError, spend

START = datetime(2026, 1, 1, tzinfo=UTC)
BUDGET = Budget()


def spent(minutes: list[int]) -> list[tuple[datetime, float]]:
    looks, now, amounts = Looks(), START, []
    for passed in minutes:
        now += timedelta(minutes=passed)
        amounts.append((now, spend(BUDGET, looks, now)))
        looks = looks.after(now, [])
    return amounts


def most_in_a_week(amounts: list[tuple[datetime, float]]) -> float:
    week = timedelta(days=7)
    return max(sum(amount for time, amount in amounts if begin <= time < begin + week) for begin, _ in amounts)


def test_a_look_every_six_hours_spends_nearly_all_of_a_weeks_budget() -> None:
    amounts = spent([360] * 100)
    assert 0.048 < most_in_a_week(amounts) <= 0.05
    assert amounts[0][1] == pytest.approx(0.05 * 6 / 174)


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_schedule_spends_more(minutes: list[int]) -> None:
    assert most_in_a_week(spent(minutes)) <= 0.05 + 1e-12


def test_looking_every_minute_spends_no_more() -> None:
    assert sum(amount for _, amount in spent([1] * 7 * 24 * 60)) <= 0.05


def test_a_pause_saves_nothing_up() -> None:
    assert spent([1, 100_000])[1][1] == spent([1, 360])[1][1]


def test_a_look_that_is_not_later_is_refused() -> None:
    looks = Looks(START)
    for now in (START, START - timedelta(hours=1)):
        with pytest.raises(EarlierLookError):
            spend(BUDGET, looks, now)


def test_a_drift_is_known_since_the_first_look_without_a_break() -> None:
    first = Looks().after(START, ["a", "b"])
    second = first.after(START + timedelta(hours=6), ["a"])
    third = second.after(START + timedelta(hours=12), ["a", "b"])
    assert third.since == {"a": START, "b": START + timedelta(hours=12)}


@pytest.mark.parametrize(
    "arguments",
    [{"alpha": 0.0}, {"alpha": 1.0}, {"cadence": timedelta(0)}, {"cadence": timedelta(days=8)}],
    ids=str,
)
def test_a_budget_must_bound_something(arguments: dict[str, object]) -> None:
    with pytest.raises(BudgetError):
        Budget(**arguments)


@pytest.mark.parametrize("shift", [0.0, -1.0, float("nan"), float("inf")])
def test_an_effect_must_be_one(shift: float) -> None:
    with pytest.raises(EffectLimitError):
        EffectLimits(shift)

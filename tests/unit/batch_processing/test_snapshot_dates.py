"""Which days have a snapshot, and which ones a change makes stale."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from batch_processing.snapshot_dates import grid, plan

DAYS = st.dates(date(2009, 1, 1), date(2012, 12, 31))
EVERY = st.integers(1, 14)


def test_the_grid_is_mondays_and_the_newest_day() -> None:
    # 2011-01-05 is a Wednesday, 2011-01-20 a Thursday.
    found = grid(date(2011, 1, 5), date(2011, 1, 20), every=7)
    assert found == (date(2011, 1, 10), date(2011, 1, 17), date(2011, 1, 20))


def test_a_day_on_the_grid_that_is_the_newest_stands_once() -> None:
    assert grid(date(2011, 1, 3), date(2011, 1, 10), every=7) == (date(2011, 1, 10),)


def test_one_day_of_events_has_no_complete_past() -> None:
    assert grid(date(2011, 1, 3), date(2011, 1, 3), every=7) == ()


@given(DAYS, st.integers(0, 400), st.integers(0, 400), EVERY)
def test_an_older_first_event_moves_no_snapshot(first: date, length: int, older: int, every: int) -> None:
    newest = first + timedelta(days=length)
    before = grid(first, newest, every)
    after = grid(first - timedelta(days=older), newest, every)
    assert after[len(after) - len(before) :] == before


@given(DAYS, st.integers(0, 100), EVERY)
def test_the_grid_is_every_day_that_a_naive_walk_finds(first: date, length: int, every: int) -> None:
    newest = first + timedelta(days=length)
    walk = [first + timedelta(days=n) for n in range(1, length + 1)]
    assert grid(first, newest, every) == tuple(
        day for day in walk if day == newest or (day - date(1970, 1, 5)).days % every == 0
    )


def test_a_snapshot_is_stale_after_the_changed_day_not_on_it() -> None:
    days = (date(2011, 1, 3), date(2011, 1, 10), date(2011, 1, 17))
    assert plan(days, days, [date(2011, 1, 10), date(2011, 1, 12)]).recompute == days[2:]


def test_the_newest_day_of_an_earlier_run_gives_way() -> None:
    old, new = (date(2011, 1, 10), date(2011, 1, 12)), (date(2011, 1, 10), date(2011, 1, 14))
    todo = plan(new, old, [date(2011, 1, 14)])
    assert (todo.since, todo.replaced, todo.recompute) == (date(2011, 1, 12), old[1:], new[1:])


def test_a_change_after_every_snapshot_is_nothing_to_do() -> None:
    days = (date(2011, 1, 10),)
    assert plan(days, days, [date(2011, 1, 10)]).is_nothing


def test_all_is_recomputed_when_all_changed() -> None:
    days = (date(2011, 1, 3), date(2011, 1, 10))
    assert plan(days, (), None).recompute == days


@given(st.sets(DAYS, max_size=12), st.sets(DAYS, max_size=12), st.lists(DAYS, max_size=4))
def test_what_stays_is_what_no_change_touched(wanted: set[date], existing: set[date], changed: list[date]) -> None:
    todo = plan(sorted(wanted), sorted(existing), changed)
    kept = existing - set(todo.replaced)
    assert kept | set(todo.recompute) == wanted
    assert not any(day > change for day in kept for change in changed)

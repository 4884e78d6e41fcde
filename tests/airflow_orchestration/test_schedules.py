"""The schedules that the settings take are those that Airflow can follow."""

from datetime import UTC, datetime

import pytest
from airflow.timetables.trigger import CronTriggerTimetable
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from tests.cases.cron_expressions import TAKEN
from tidemill.config.cron import PRESETS, checked

START = datetime(2026, 1, 1, tzinfo=UTC)


def follow(expression: str) -> None:
    """Raises where Airflow would."""
    timetable = CronTriggerTimetable(expression, timezone="UTC")
    timetable.validate()
    croniter(timetable._expression, START).get_next(datetime)


@pytest.mark.parametrize("expression", [*TAKEN, *PRESETS])
def test_airflow_follows_what_the_settings_take(expression: str) -> None:
    follow(checked(expression))


NUMBERS = st.integers(0, 62).map(str)
PARTS = st.one_of(
    st.just("*"),
    NUMBERS,
    st.sampled_from(["l", "L", "5#2", "mon", "SUN", "jan", "dec", "h", "r", "?"]),
    st.builds("{}-{}".format, NUMBERS, NUMBERS),
    st.builds("{}/{}".format, st.one_of(st.just("*"), NUMBERS), NUMBERS),
    st.builds("{}-{}/{}".format, NUMBERS, NUMBERS, NUMBERS),
)
FIELDS = st.lists(PARTS, min_size=1, max_size=2).map(",".join)


@given(st.tuples(FIELDS, FIELDS, FIELDS, FIELDS, FIELDS).map(" ".join))
def test_airflow_follows_any_expression_that_the_settings_take(expression: str) -> None:
    try:
        checked(expression)
    except ValueError:
        return
    follow(expression)

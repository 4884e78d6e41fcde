"""Which times a use case is scored for."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from batch_processing.scoring.window import Window, WindowError, window_of
from feature_store.definitions import Own, YesNo
from use_cases.churn.features import CUSTOMER, TRANSACTIONS
from use_cases.churn.labels import LABEL as CHURN
from use_cases.fraud.labels import LABEL as FRAUD

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_entities_are_scored_as_of_one_moment() -> None:
    assert window_of("churn", CHURN, NOON, None, None) == Window(NOON, NOON + timedelta(microseconds=1))


def test_a_time_without_a_zone_is_one_in_utc_and_one_with_another_is_moved_there() -> None:
    assert window_of("churn", CHURN, datetime(2026, 3, 1, 12), None, None).begin == NOON
    elsewhere = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert window_of("churn", CHURN, elsewhere, None, None).begin.isoformat() == "2026-03-01T12:00:00+00:00"


def test_without_a_time_it_is_now() -> None:
    before = datetime.now(UTC)
    assert before <= window_of("churn", CHURN, None, None, None).begin <= datetime.now(UTC)


def test_events_are_scored_in_a_range() -> None:
    end = NOON + timedelta(days=1)
    assert window_of("fraud", FRAUD, None, NOON, end) == Window(NOON, end)


@pytest.mark.parametrize(
    ("times", "why"),
    [
        ((None, None, None), "score those of a range, with --from and --to"),
        ((NOON, None, None), "score those of a range, with --from and --to"),
        ((None, NOON, None), "score those of a range, with --from and --to"),
        ((None, NOON, NOON), "--from 2026-03-01T12:00:00 is not before --to 2026-03-01T12:00:00"),
    ],
)
def test_events_without_a_range_are_refused(times: tuple[datetime | None, ...], why: str) -> None:
    with pytest.raises(WindowError, match=why):
        window_of("fraud", FRAUD, *times)


def test_entities_with_a_range_are_refused() -> None:
    with pytest.raises(WindowError, match="score them as of one time, with --at"):
        window_of("churn", CHURN, None, NOON, NOON + timedelta(days=1))


def test_rows_that_only_a_function_makes_are_refused() -> None:
    question = Own(CUSTOMER, (TRANSACTIONS,), lambda rows: rows, YesNo())
    with pytest.raises(WindowError, match="nothing can be scored before it is known"):
        window_of("own", question, None, NOON, NOON + timedelta(days=1))

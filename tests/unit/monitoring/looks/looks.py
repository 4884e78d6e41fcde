"""Verdicts for tests, as a judge would give them."""

from datetime import UTC, datetime, timedelta

from ml_modeling.registry import ModelIdentity
from monitoring.drift import Aspect, Finding, Outcome, Statistic, Verdict
from monitoring.looks.results import Subject, Verdicts
from monitoring.looks.served import Counts, Window

END = datetime(2026, 3, 2, tzinfo=UTC)
SUBJECT = Subject("churn", "3", ModelIdentity(run_id="r1", model_id="m-1", digest="d"))


def verdict(
    feature: str | None, aspect: Aspect = Aspect.DISTRIBUTION, *, is_drifted: bool = True, shift: float = 0.5
) -> Verdict:
    """Of one statistic that is four times its limit when it drifted."""
    statistic = Statistic("wasserstein", shift, 0.125, shift)
    finding = Finding(feature, aspect, (statistic,), 1e-9)
    outcome = Outcome.DRIFTED if is_drifted else Outcome.STEADY
    return Verdict(finding, outcome, 0.0017, 1e-8, END if is_drifted else None, 0.25)


def look(*verdicts: Verdict) -> Verdicts:
    """Of a day with a thousand answers."""
    window = Window(END - timedelta(days=1), END)
    return Verdicts("20260302T000000Z-0a", window, Counts(answers=1_000, judged=900), 0.0017, verdicts, END)

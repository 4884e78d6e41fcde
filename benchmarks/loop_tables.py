"""The tables of ``loop_years.py``, in Markdown, each figure with its interval of 95 %."""

from collections.abc import Iterator, Sequence

import numpy as np
from loop_models import SPEC
from loop_outcomes import DAYS, KINDS, Outcome, Promoted, Told
from scipy.stats import beta, chi2, t

CONFIDENCE = 0.95
TAIL = (1 - CONFIDENCE) / 2
SOON = 30
MARGIN = SPEC.gates.champion.margin
STATED = (1 - SPEC.bootstrap.confidence) / 2
"""How often a model that is worse by the margin may pass: the gate goes by one end of an interval."""
POLICIES = ("never", "daily", "the loop")


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """All of them, line by line."""
    yield from (*_false(outcomes), "", *_found(outcomes), "", *_promoted(outcomes), "", *_harm(outcomes))


def share(count: int, of: int) -> str:
    """A share with the interval of Clopper and Pearson (1934)."""
    if not of:
        return "-"
    low = float(beta.ppf(TAIL, count, of - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - TAIL, count + 1, of - count)) if count < of else 1.0
    return f"{count / of:.1%} [{low:.1%}, {high:.1%}] ({count} of {of})"


def rate(count: int, years: float) -> str:
    """Events a year with the exact interval of a Poisson count (Garwood 1936)."""
    low = float(chi2.ppf(TAIL, 2 * count)) / 2 if count else 0.0
    high = float(chi2.ppf(1 - TAIL, 2 * count + 2)) / 2
    return f"{count / years:.2f} [{low / years:.2f}, {high / years:.2f}]"


def mean(values: Sequence[float], digits: int = 1) -> str:
    """A mean with Student's interval."""
    middle = float(np.mean(values))
    if len(values) < 2:
        return f"{middle:.{digits}f}"
    reach = float(t.ppf(1 - TAIL, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return f"{middle:.{digits}f} [{middle - reach:.{digits}f}, {middle + reach:.{digits}f}]"


def calm_days(outcome: Outcome) -> int:
    """Before anything changed."""
    return DAYS if outcome.onset is None else outcome.onset


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def _head(*cells: str) -> tuple[str, str]:
    return _row(*cells), _row(*["---"] * len(cells))


def _false(outcomes: Sequence[Outcome]) -> Iterator[str]:
    years = sum(map(calm_days, outcomes)) / DAYS
    yield f"Without drift, over {years:.1f} years (those without a change, and the others up to it):"
    yield ""
    yield from _head("what", "times", "a year")
    for what, name in COUNTED.items():
        count = sum(day < calm_days(outcome) for outcome in outcomes for day in days_of(outcome.told, name))
        yield _row(what, count, rate(count, years))


COUNTED = {
    "retrainings asked for by drift": "requested",
    "retrainings asked for by outcomes": "requested_by_outcomes",
    "refused by the gates": "rejected",
    "taken back by a guard": "taken_back",
    "promotions": "promoted",
}


def days_of(told: Told, name: str) -> Sequence[float]:
    """When something happened."""
    match name:
        case "promoted":
            return [promotion.day for promotion in told.promoted]
        case "taken_back":
            return [day for day, _ in told.taken_back]
    days: Sequence[float] = getattr(told, name)
    return days


def _found(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield f"Found: within {SOON} days and by the end of the year; the delay is the median of those that were found."
    yield ""
    yield from _head(
        "drift",
        "size",
        f"found in {SOON} days",
        "found",
        "by outcomes",
        "delay (days)",
        "trainings since",
        "promotions",
    )
    for drift in KINDS[1:]:
        years = [outcome for outcome in outcomes if (outcome.kind, outcome.size) == (drift.kind, drift.size)]
        if years:
            yield _row(drift.kind, drift.size, *_found_cells(years))


def _found_cells(years: Sequence[Outcome]) -> Iterator[str]:
    delays = np.array([delay(outcome.told, outcome.onset or 0) for outcome in years])
    is_found = np.isfinite(delays)
    yield share(int((delays <= SOON).sum()), len(delays))
    yield share(int(is_found.sum()), len(delays))
    yield str(sum(_since(outcome.told.found_by_outcomes, outcome) > 0 for outcome in years))
    yield f"{np.median(delays[is_found]):.1f}" if is_found.any() else "never"
    for name in ("trained", "promoted"):
        yield mean([_since(days_of(outcome.told, name), outcome) for outcome in years])


def _since(days: Sequence[float], outcome: Outcome) -> int:
    return sum(day >= (outcome.onset or 0) for day in days)


def delay(told: Told, onset: int) -> float:
    """Days from the change to the first time that anything was found; infinite where nothing was."""
    return min((day - onset for day in (*told.found, *told.found_by_outcomes) if day > onset), default=np.inf)


def _promoted(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield (
        f"Promotions of a model that is in truth worse than the champion of the day: at all, and by more than the "
        f"{MARGIN} of ROC AUC that the gate allows, which may pass with a probability of {STATED:.1%}."
    )
    yield ""
    yield from _head("when", "promotions", "larger loss", f"ROC AUC lower by over {MARGIN}")
    for when, is_after in (("without drift", False), ("after a change", True)):
        made = [
            promotion
            for outcome in outcomes
            for promotion in outcome.told.promoted
            if (promotion.day >= calm_days(outcome)) is is_after
        ]
        yield _row(when, len(made), *_worse_cells(made))


def _worse_cells(made: Sequence[Promoted]) -> tuple[str, str]:
    larger, lower = (
        sum(promotion.loss > 0 for promotion in made),
        sum(promotion.auc < -MARGIN for promotion in made),
    )
    return share(larger, len(made)), share(lower, len(made))


def _harm(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "Harm: the mean loss over the year (expected squared error) above the oracle's, in thousandths."
    yield ""
    yield from _head("drift", "size", "years", "the oracle's loss", *POLICIES)
    for drift in KINDS:
        years = [outcome for outcome in outcomes if (outcome.kind, outcome.size) == (drift.kind, drift.size)]
        if years:
            oracles = [1000 * outcome.losses["oracle"] for outcome in years]
            above = ([1000 * (it.losses[name] - it.losses["oracle"]) for it in years] for name in POLICIES)
            yield _row(drift.kind, drift.size, len(years), f"{np.mean(oracles):.1f}", *(mean(row, 2) for row in above))

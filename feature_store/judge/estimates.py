"""Between which values an answer lies where a state no longer holds every value, but estimates."""

from feature_store.definitions import LIFETIME, Feature, Function
from feature_store.judge.aggregates import ESTIMATED, aggregate, number, quantile, share, tail_of, value_of
from feature_store.judge.spelling import name

EXACT_DISTINCT = 256
EXACT_VALUES = 512
DISTINCT_ERROR = 5 * 0.023
"""Five standard errors of HyperLogLog, as a share of the count."""
DISTINCT_SLACK = 2
"""Beside it: of a few values two may share a register, which is no small share of them."""
RANK_ERROR = 260
"""Five standard errors of a KLL sketch, in ten-thousandths of the values: its 99 of 100 are within 1.33 %."""


def feature_columns(features: tuple[Feature, ...]) -> str:
    """A column a feature, called by its name; for one that may be an estimate two more, between which it lies."""
    columns = [f"{aggregate(feature)} AS {name(feature.name)}" for feature in features]
    for feature in features:
        if feature.function in ESTIMATED:
            low, high = _bounds(feature)
            columns += [f"{low} AS {name(low_name(feature.name))}", f"{high} AS {name(high_name(feature.name))}"]
    return ",\n  ".join(columns)


def low_name(of: str) -> str:
    return f"low:{of}"


def high_name(of: str) -> str:
    return f"high:{of}"


def _bounds(feature: Feature) -> tuple[str, str]:
    exact = aggregate(feature)
    if feature.function is Function.COUNT_DISTINCT:
        is_estimate = _may_be_reduced(feature)
        low = f"greatest({exact} * (1 - {DISTINCT_ERROR}) - {DISTINCT_SLACK}, least({exact}, 1))"
        high = f"{exact} * (1 + {DISTINCT_ERROR}) + {DISTINCT_SLACK}"
    else:
        is_estimate = _may_be_sketched(feature)
        low, high = quantile(feature, share(feature) - RANK_ERROR), quantile(feature, share(feature) + RANK_ERROR)
    return (
        f"CASE WHEN {is_estimate} THEN {low} ELSE {exact} END",
        f"CASE WHEN {is_estimate} THEN {high} ELSE {exact} END",
    )


def _longest(feature: Feature) -> Feature:
    """Of the features that read the same of a state, the one of the longest window: what the state holds is for it."""
    same = (one for one in feature.group.features if (one.function, one.column) == (feature.function, feature.column))
    return max(same, key=lambda one: one.window)


def _may_be_reduced(feature: Feature) -> str:
    """Whether some apply may have found too many values, one of the window among them, in the longest window before it.

    A state reduces all values when they are too many, and goes on exactly with what comes then. What such an apply
    found lies in the longest window before the window's tail, or after it.
    """
    longest = _longest(feature).window
    since = "TRUE" if longest == LIFETIME else f"time >= {tail_of(longest, tail_of(feature.window))}"
    values = f"count(DISTINCT {value_of(feature.group, feature.column or '')})"
    return f"{values} FILTER (WHERE time IS NOT NULL AND {since}) > {EXACT_DISTINCT}"


def _may_be_sketched(feature: Feature) -> str:
    """Whether the window has a value that some apply found with too many others in the longest window before it.

    A state puts all values into sketches when they are too many, and goes on exactly with what comes then. So a window
    with few values may still be read from sketches that were made when there were many.
    """
    x, longest = number(feature), _longest(feature).window
    if longest == LIFETIME:
        return f"count({x}) FILTER (WHERE time IS NOT NULL AND {x} IS NOT NULL) > {EXACT_VALUES}"
    since = tail_of(longest, tail_of(longest))
    times = f"list_sort(list(time) FILTER (WHERE time >= {since} AND {x} IS NOT NULL))"
    last_and_first = f"list_zip({times}[{EXACT_VALUES + 1}:], {times})"
    is_crowded = f"span[1] >= {tail_of(feature.window)} AND span[2] >= {tail_of(longest, 'span[1]')}"
    return f"len(list_filter({last_and_first}, lambda span: {is_crowded})) > 0"

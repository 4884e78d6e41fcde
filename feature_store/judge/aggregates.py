"""The features of a group as aggregates of DuckDB, over the events before a question, each with its ``time``."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from feature_store.definitions import LIFETIME, Feature, FeatureGroup, Filter, Function
from feature_store.definitions.filters import Comparison
from feature_store.judge.spelling import column, literals, name

MICROSECOND = timedelta(microseconds=1)
LARGEST = "1e100"
SYMBOLS = {
    Comparison.EQUAL: "=",
    Comparison.NOT_EQUAL: "<>",
    Comparison.LESS: "<",
    Comparison.LESS_OR_EQUAL: "<=",
    Comparison.GREATER: ">",
    Comparison.GREATER_OR_EQUAL: ">=",
}
LATEST_FIRST = "time::HUGEINT * 18446744073709551616 + tie"
"""By time, then by the hash of what identifies an event."""
ORDERED = frozenset((Function.FIRST, Function.LAST, Function.LAST_K))


def tail_of(window: timedelta) -> str:
    """Since when a window covers events: floor(asked_at - window, hop), with a hop by the window's length."""
    length = window // MICROSECOND
    if window < timedelta(hours=12):
        hop = timedelta(minutes=5) // MICROSECOND
    elif window < timedelta(days=12):
        hop = timedelta(hours=1) // MICROSECOND
    else:
        hop = timedelta(days=1) // MICROSECOND
    since = f"(asked_at - {length})"
    return f"({since} - (({since} % {hop} + {hop}) % {hop}))"


def reach(group: FeatureGroup) -> str:
    """A condition true for the events that some window covers."""
    longest = max(feature.window for feature in group.features)
    return "time < asked_at" if longest == LIFETIME else f"time < asked_at AND time >= {tail_of(longest)}"


def passes(group: FeatureGroup) -> str:
    """A condition true for the events that pass the group's filters."""
    return " AND ".join(_passes(group, condition) for condition in group.filters) or "TRUE"


def _passes(group: FeatureGroup, condition: Filter) -> str:
    of = _value(group, condition.column)
    if condition.comparison is Comparison.IS_NULL:
        return f"{of} IS NULL"
    if condition.comparison is Comparison.IS_NOT_NULL:
        return f"{of} IS NOT NULL"
    if any(isinstance(operand, int | float) and not isinstance(operand, bool) for operand in condition.operands):
        of = f"CAST({of} AS DOUBLE)"
    if condition.comparison is Comparison.IN:
        return f"{of} IN ({literals(condition.operands)})"
    return f"{of} {SYMBOLS[condition.comparison]} {literals(condition.operands)}"


def _value(group: FeatureGroup, of: str) -> str:
    """A column of the source, or the product that it is."""
    for product in group.source.computed:
        if product.name == of:
            return f"({column(product.left)} * {column(product.right)})"
    return column(of)


def _number(group: FeatureGroup, of: str) -> str:
    """As float64; null where it is none that counts."""
    return (
        f"CASE WHEN abs(CAST({_value(group, of)} AS DOUBLE)) <= {LARGEST} THEN CAST({_value(group, of)} AS DOUBLE) END"
    )


def columns_read(group: FeatureGroup) -> set[str]:
    """The columns of silver that the group's features and filters are made of."""
    made_of = {product.name: (product.left, product.right) for product in group.source.computed}
    return {read for of in group.columns for read in made_of.get(of, (of,))}


def aggregate(feature: Feature) -> str:
    """Its value over the events of one question."""
    return FUNCTIONS[feature.function](feature)


def distinct_kept(feature: Feature) -> str:
    """How many distinct values a state may hold for ``feature``: those of the longest window that reads its column."""
    same = (one for one in feature.group.features if (one.function, one.column) == (feature.function, feature.column))
    return _count_distinct(max(same, key=lambda one: one.window))


def _covered(feature: Feature, also: str = "TRUE") -> str:
    since = "TRUE" if feature.window == LIFETIME else f"time >= {tail_of(feature.window)}"
    return f"FILTER (WHERE time IS NOT NULL AND {since} AND {also})"


def _present(feature: Feature) -> str:
    return "TRUE" if feature.column is None else f"{_value(feature.group, feature.column)} IS NOT NULL"


def _count(feature: Feature) -> str:
    return f"CAST(count(*) {_covered(feature, _present(feature))} AS DOUBLE)"


def _count_category(feature: Feature) -> str:
    same = f"{_value(feature.group, feature.column or '')} = {literals([feature.argument or ''])}"
    return f"CAST(count(*) {_covered(feature, same)} AS DOUBLE)"


def _count_distinct(feature: Feature) -> str:
    return f"CAST(count(DISTINCT {_value(feature.group, feature.column or '')}) {_covered(feature)} AS DOUBLE)"


def _time_since_last(feature: Feature) -> str:
    return f"(asked_at - max(time) {_covered(feature, _present(feature))}) / 1000000.0::DOUBLE"


def _of_numbers(sql: str) -> Callable[[Feature], str]:
    """``sql`` over the numbers ``{x}`` there are in the window, ordered by ``{order}``."""

    def write(feature: Feature) -> str:
        number = _number(feature.group, feature.column or "")
        covered = _covered(feature, f"({number}) IS NOT NULL")
        share = round(float(feature.argument or 0) * 10_000) if feature.function is Function.QUANTILE else 0
        return sql.format(x=number, covered=covered, order=LATEST_FIRST, argument=feature.argument, share=share)

    return write


# The deviations are summed in a second pass over the values: squares of large numbers would leave nothing of a small
# one. A quantile is the smallest value that a share of the values, in ten-thousandths, does not exceed.
VALUES = "list({x}) {covered}"
FUNCTIONS: Mapping[Function, Callable[[Feature], str]] = {
    Function.COUNT: _count,
    Function.COUNT_CATEGORY: _count_category,
    Function.COUNT_DISTINCT: _count_distinct,
    Function.TIME_SINCE_LAST: _time_since_last,
    Function.SUM: _of_numbers("coalesce(fsum({x}) {covered}, 0)"),
    Function.MEAN: _of_numbers("fsum({x}) {covered} / count({x}) {covered}"),
    Function.MIN: _of_numbers("min({x}) {covered}"),
    Function.MAX: _of_numbers("max({x}) {covered}"),
    Function.FIRST: _of_numbers("arg_min({x}, {order}) {covered}"),
    Function.LAST: _of_numbers("arg_max({x}, {order}) {covered}"),
    Function.LAST_K: _of_numbers("(arg_max({x}, {order}, {argument}) {covered})[{argument}]"),
    Function.QUANTILE: _of_numbers(f"list_sort({VALUES})[(count({{x}}) {{covered}} * {{share}} + 9999) // 10000]"),
    Function.STD: _of_numbers(f"judge_std({VALUES}, fsum({{x}}) {{covered}} / count({{x}}) {{covered}})"),
}
MACROS = """
CREATE MACRO judge_std(numbers, mean) AS CASE WHEN len(numbers) > 1 THEN
  sqrt(list_aggregate(list_transform(numbers, lambda x: (x - mean) * (x - mean)), 'fsum') / (len(numbers) - 1)) END
"""


def feature_columns(features: tuple[Feature, ...]) -> str:
    """A column a feature, called by its name, and one that says how many distinct values may be estimated."""
    columns = [f"{aggregate(feature)} AS {name(feature.name)}" for feature in features]
    columns += [
        f"{distinct_kept(feature)} AS {name(kept_name(feature))}"
        for feature in features
        if feature.function is Function.COUNT_DISTINCT
    ]
    return ",\n  ".join(columns)


def kept_name(feature: Feature) -> str:
    return f"kept:{feature.name}"

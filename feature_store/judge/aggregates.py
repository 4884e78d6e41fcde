"""The features of a group as aggregates of DuckDB, over the events before a question, each with its ``time``."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from feature_store.definitions import LIFETIME, Feature, FeatureGroup, Filter, Function
from feature_store.definitions.filters import Comparison, Scalar
from feature_store.judge.spelling import column, literal, literals

MICROSECOND = timedelta(microseconds=1)
EXACT = 1 << 53
"""Below it every integer is a DOUBLE."""
LARGEST_INTEGER = 1 << 127
"""Below it every integer is a HUGEINT."""
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
ESTIMATED = frozenset((Function.COUNT_DISTINCT, Function.QUANTILE))
"""What a state may hold estimates of."""


def tail_of(window: timedelta, at: str = "asked_at") -> str:
    """Since when a window covers events: floor(at - window, hop), with a hop by the window's length."""
    length = window // MICROSECOND
    if window < timedelta(hours=12):
        hop = timedelta(minutes=5) // MICROSECOND
    elif window < timedelta(days=12):
        hop = timedelta(hours=1) // MICROSECOND
    else:
        hop = timedelta(days=1) // MICROSECOND
    since = f"({at} - {length})"
    return f"({since} - (({since} % {hop} + {hop}) % {hop}))"


def reach(group: FeatureGroup) -> str:
    """A condition true for the events that some window covers, or an apply that made an estimate some window reads."""
    longest = max(feature.window for feature in group.features)
    if longest == LIFETIME:
        return "time < asked_at"
    estimated = [feature.window for feature in group.features if feature.function in ESTIMATED]
    tails = [tail_of(longest), *(tail_of(window, tail_of(window)) for window in sorted({*estimated}))]
    return f"time < asked_at AND time >= least({', '.join(tails)})"


def passes(group: FeatureGroup) -> str:
    """A condition true for the events that pass the group's filters."""
    return " AND ".join(_passes(group, condition) for condition in group.filters) or "TRUE"


def _passes(group: FeatureGroup, condition: Filter) -> str:
    of = value_of(group, condition.column)
    if condition.comparison is Comparison.IS_NULL:
        return f"{of} IS NULL"
    if condition.comparison is Comparison.IS_NOT_NULL:
        return f"{of} IS NOT NULL"
    if condition.comparison is Comparison.IN:
        return f"({' OR '.join(_compared(of, '=', operand) for operand in condition.operands)})"
    return _compared(of, SYMBOLS[condition.comparison], condition.operands[0])


def _compared(of: str, symbol: str, operand: Scalar) -> str:
    """Integers that a DOUBLE may not tell apart are compared as integers."""
    if isinstance(operand, bool | str):
        return f"{of} {symbol} {literal(operand)}"
    as_double = f"CAST({of} AS DOUBLE) {symbol} {literal(float(operand))}"
    if not EXACT <= abs(operand) < LARGEST_INTEGER:
        return as_double
    return f"coalesce(TRY_CAST({of} AS HUGEINT) {symbol} CAST('{int(operand)}' AS HUGEINT), {as_double})"


def value_of(group: FeatureGroup, of: str) -> str:
    """A column of the source, or the product that it is; null where it is a number that does not count."""
    for product in group.source.computed:
        if product.name == of:
            left, right = (f"CAST({column(part)} AS DOUBLE)" for part in (product.left, product.right))
            return f"judge_value({left} * {right})"
    return f"judge_value({column(of)})"


def number(feature: Feature) -> str:
    """The value of the feature's column as float64."""
    return f"CAST({value_of(feature.group, feature.column or '')} AS DOUBLE)"


def columns_read(group: FeatureGroup) -> set[str]:
    """The columns of silver that the group's features and filters are made of."""
    made_of = {product.name: (product.left, product.right) for product in group.source.computed}
    return {read for of in group.columns for read in made_of.get(of, (of,))}


def aggregate(feature: Feature) -> str:
    """Its value over the events of one question."""
    return FUNCTIONS[feature.function](feature)


def covered(feature: Feature, also: str = "TRUE") -> str:
    since = "TRUE" if feature.window == LIFETIME else f"time >= {tail_of(feature.window)}"
    return f"FILTER (WHERE time IS NOT NULL AND {since} AND {also})"


def _present(feature: Feature) -> str:
    return "TRUE" if feature.column is None else f"{value_of(feature.group, feature.column)} IS NOT NULL"


def _count(feature: Feature) -> str:
    return f"CAST(count(*) {covered(feature, _present(feature))} AS DOUBLE)"


def _count_category(feature: Feature) -> str:
    same = f"{value_of(feature.group, feature.column or '')} = {literals([feature.argument or ''])}"
    return f"CAST(count(*) {covered(feature, same)} AS DOUBLE)"


def _count_distinct(feature: Feature) -> str:
    return f"CAST(count(DISTINCT {value_of(feature.group, feature.column or '')}) {covered(feature)} AS DOUBLE)"


def _time_since_last(feature: Feature) -> str:
    return f"(asked_at - max(time) {covered(feature, _present(feature))}) / 1000000.0::DOUBLE"


def _of_numbers(sql: str) -> Callable[[Feature], str]:
    """``sql`` over the numbers ``{x}`` there are in the window, ordered by ``{order}``."""

    def write(feature: Feature) -> str:
        x = number(feature)
        some = covered(feature, f"{x} IS NOT NULL")
        return sql.format(x=x, covered=some, order=LATEST_FIRST, argument=feature.argument)

    return write


def share(feature: Feature) -> int:
    """Which quantile it is, in ten-thousandths."""
    return round(float(feature.argument or 0) * 10_000)


def quantile(feature: Feature, ten_thousandths: int) -> str:
    """The smallest value that this share of the values does not exceed; the smallest or largest of all beyond 0 and 1.

    Null over no value.
    """
    x = number(feature)
    some = covered(feature, f"{x} IS NOT NULL")
    count = f"count({x}) {some}"
    rank = f"greatest(least(({count} * {ten_thousandths} + 9999) // 10000, {count}), 1)"
    return f"list_sort(list({x}) {some})[{rank}]"


# The deviations are summed in a second pass over the values: squares of large numbers would leave nothing of a small
# one. What the rounded mean adds to them is taken off again (Chan, Golub, LeVeque, "Algorithms for computing the sample
# variance", 1983, equation 1.7).
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
    Function.QUANTILE: lambda feature: quantile(feature, share(feature)),
    Function.STD: _of_numbers(f"judge_std({VALUES}, fsum({{x}}) {{covered}} / count({{x}}) {{covered}})"),
}
MACROS = """
CREATE MACRO judge_value(x) AS CASE
  WHEN typeof(x) IN ('DOUBLE', 'FLOAT') AND NOT coalesce(abs(TRY_CAST(x AS DOUBLE)) <= 1e100, FALSE) THEN NULL
  ELSE x END;
CREATE MACRO judge_std_of(deviations) AS CASE WHEN len(deviations) > 1 THEN
  sqrt((list_aggregate(list_transform(deviations, lambda d: d * d), 'fsum')
    - list_aggregate(deviations, 'fsum') * list_aggregate(deviations, 'fsum') / len(deviations))
    / (len(deviations) - 1)) END;
CREATE MACRO judge_std(numbers, mean) AS judge_std_of(list_transform(numbers, lambda x: x - mean))
"""

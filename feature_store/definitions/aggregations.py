"""What is computed over a window: ``count()``, ``column("amount").mean()``, and so on."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from feature_store.definitions.errors import DefinitionError, check_column
from feature_store.definitions.filters import Comparison, Filter, Scalar
from feature_store.definitions.spelling import check_windows

MOST_LAST = 100
MOST_CATEGORIES = 64

Windows = tuple[timedelta, ...]


class Function(StrEnum):
    """An event whose column is null is not there for the functions of that column.

    Over no event, counts and sums are 0 and the others have no value.
    """

    COUNT = "count"
    SUM = "sum"
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    STD = "std"
    """Of the sample (n - 1); no value below two events."""
    FIRST = "first"
    LAST = "last"
    LAST_K = "last_k"
    """One feature a position, the latest first."""
    COUNT_DISTINCT = "count_distinct"
    """Online exact up to 256 values in the longest window, then a HyperLogLog estimate."""
    QUANTILE = "quantile"
    """The smallest value that at least this share of the values does not exceed."""
    TIME_SINCE_LAST = "time_since_last"
    """Seconds."""
    COUNT_CATEGORY = "count_category"


WITHOUT_COLUMN = frozenset((Function.COUNT, Function.TIME_SINCE_LAST))


@dataclass(frozen=True)
class Aggregation:
    """One function of one column over ``windows`` (none given: those of the group).

    ``arguments`` are the positions of a last_k, the shares of quantiles, the categories of a count: one feature each.
    """

    function: Function
    column: str | None = None
    windows: Windows = ()
    arguments: tuple[Scalar, ...] = ()

    def __post_init__(self) -> None:
        where = f"Aggregation {self.function.value}"
        if self.column is not None:
            check_column(f"{where}: column", self.column)
        elif self.function not in WITHOUT_COLUMN:
            raise DefinitionError(f"{where}: column: there is none")
        check_windows(f"{where}: windows", self.windows)
        self._check_arguments(f"{where}: arguments")

    def _check_arguments(self, where: str) -> None:
        if self.function is Function.LAST_K and not 1 <= len(self.arguments) <= MOST_LAST:
            raise DefinitionError(f"{where}: k is not between 1 and {MOST_LAST}")
        if self.function is Function.QUANTILE and not (
            self.arguments and all(isinstance(q, float) and 0 < q < 1 and round(q, 4) == q for q in self.arguments)
        ):
            raise DefinitionError(f"{where}: {self.arguments} are no shares between 0 and 1 with up to four decimals")
        if self.function is Function.COUNT_CATEGORY and not (
            1 <= len(self.arguments) <= MOST_CATEGORIES and all(isinstance(one, str) for one in self.arguments)
        ):
            raise DefinitionError(f"{where}: categories are 1 to {MOST_CATEGORIES} texts")


def count(*, windows: Windows = ()) -> Aggregation:
    """How many events."""
    return Aggregation(Function.COUNT, windows=windows)


def time_since_last(*, windows: Windows = ()) -> Aggregation:
    """Seconds since the latest event."""
    return Aggregation(Function.TIME_SINCE_LAST, windows=windows)


@dataclass(frozen=True, eq=False)
class SourceColumn:
    """A column of the source: compared it makes a filter, by its methods an aggregation."""

    name: str

    def count(self, *, windows: Windows = ()) -> Aggregation:
        """How many events have a value."""
        return Aggregation(Function.COUNT, self.name, windows)

    def sum(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.SUM, self.name, windows)

    def mean(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.MEAN, self.name, windows)

    def min(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.MIN, self.name, windows)

    def max(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.MAX, self.name, windows)

    def std(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.STD, self.name, windows)

    def first(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.FIRST, self.name, windows)

    def last(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.LAST, self.name, windows)

    def last_k(self, k: int, *, windows: Windows = ()) -> Aggregation:
        """The latest ``k`` values: features ``last_1`` (the latest) to ``last_<k>``."""
        return Aggregation(Function.LAST_K, self.name, windows, tuple(range(1, k + 1)))

    def count_distinct(self, *, windows: Windows = ()) -> Aggregation:
        return Aggregation(Function.COUNT_DISTINCT, self.name, windows)

    def quantiles(self, *shares: float, windows: Windows = ()) -> Aggregation:
        """Features ``p50`` for 0.5, ``p99_9`` for 0.999."""
        return Aggregation(Function.QUANTILE, self.name, windows, shares)

    def time_since_last(self, *, windows: Windows = ()) -> Aggregation:
        """Seconds since the latest event that has a value."""
        return Aggregation(Function.TIME_SINCE_LAST, self.name, windows)

    def count_categories(self, *categories: str, windows: Windows = ()) -> Aggregation:
        """How many events of each category: features ``count_<category>``."""
        return Aggregation(Function.COUNT_CATEGORY, self.name, windows, categories)

    def __eq__(self, other: Scalar) -> Filter:  # type: ignore[override]
        return Filter(self.name, Comparison.EQUAL, (other,))

    def __ne__(self, other: Scalar) -> Filter:  # type: ignore[override]
        return Filter(self.name, Comparison.NOT_EQUAL, (other,))

    __hash__ = None  # type: ignore[assignment]

    def __lt__(self, other: Scalar) -> Filter:
        return Filter(self.name, Comparison.LESS, (other,))

    def __le__(self, other: Scalar) -> Filter:
        return Filter(self.name, Comparison.LESS_OR_EQUAL, (other,))

    def __gt__(self, other: Scalar) -> Filter:
        return Filter(self.name, Comparison.GREATER, (other,))

    def __ge__(self, other: Scalar) -> Filter:
        return Filter(self.name, Comparison.GREATER_OR_EQUAL, (other,))

    def is_in(self, *values: Scalar) -> Filter:
        return Filter(self.name, Comparison.IN, values)

    def is_null(self) -> Filter:
        return Filter(self.name, Comparison.IS_NULL)

    def is_not_null(self) -> Filter:
        return Filter(self.name, Comparison.IS_NOT_NULL)


column = SourceColumn

"""Values of JSON in the types of columns: the very value that was sent, or none."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import lru_cache
from typing import Any

from tidemill.contracts.columns import ArrayType, ColumnType, DecimalType, MapType

Path = tuple[str | int, ...]
Convert = Callable[[Any], Any]
"""From a value that is not null and has the schema's type."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
LOWEST_TIME, HIGHEST_TIME = (
    (bound - EPOCH) // MICROSECOND
    for bound in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
)
EXACT_IN_DOUBLE = 2**53


class MisfitError(ValueError):
    """A value that its column cannot hold; ``path`` leads to it."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path

    def below(self, part: str | int) -> "MisfitError":
        """The same, seen from the value that holds this one at ``part``."""
        return MisfitError(str(self), (part, *self.path))


def converter(kind: ColumnType) -> Convert | None:
    """How a value becomes one of ``kind``; None when it is one already."""
    match kind:
        case DecimalType(precision, scale):
            return _decimal(precision, scale)
        case ArrayType(items):
            return _array(converter(items))
        case MapType(values):
            return _map(converter(values))
    return SIMPLE.get(kind.sql)


def micros(text: str) -> int:
    """The microseconds since 1970 of an RFC 3339 time; digits beyond them are cut.

    Raises:
        MisfitError: a leap second, or outside the years 1 to 9999 in UTC.
    """
    try:
        since = datetime.fromisoformat(text.upper()) - EPOCH
    except ValueError:
        raise MisfitError(f"{text} does not fit TIMESTAMP") from None
    time = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds  # half the time of a division
    if LOWEST_TIME <= time <= HIGHEST_TIME:
        return time
    raise MisfitError(f"{text} does not fit TIMESTAMP")


def _bigint(value: int | float | Decimal) -> int:
    if type(value) is not int:
        if isinstance(value, Decimal) and value and value.adjusted() > 18:
            raise MisfitError(f"{value} does not fit BIGINT")
        value = int(value)  # whole, or the schema would have refused it
    if -(2**63) <= value < 2**63:
        return value
    raise MisfitError(f"{value} does not fit BIGINT")


def _double(value: int | float | Decimal) -> float:
    """The nearest float64, when it is the number sent if written with as many significant digits as were sent."""
    if type(value) is float:
        return value
    if type(value) is int and -EXACT_IN_DOUBLE <= value <= EXACT_IN_DOUBLE:
        return float(value)
    sent = Decimal(value)
    nearest = float(sent)
    if Decimal(f"{nearest:.{len(sent.as_tuple().digits) - 1}e}") == sent:
        return nearest
    raise MisfitError(f"{value} does not fit DOUBLE")


def _decimal(precision: int, scale: int) -> Convert:
    unit, name = Decimal(1).scaleb(-scale), f"DECIMAL({precision},{scale})"
    context = Context(prec=precision, traps=[Inexact, InvalidOperation])

    # Prices come again and again. By type too: 0.1 equals the Decimal of its 55 digits, which does not fit.
    @lru_cache(maxsize=4096, typed=True)
    def convert(value: int | float | Decimal) -> Decimal:
        sent = Decimal(repr(value)) if type(value) is float else Decimal(value)
        try:
            return sent.quantize(unit, context=context)
        except (Inexact, InvalidOperation):
            raise MisfitError(f"{value} does not fit {name}") from None

    return convert


def _array(convert: Convert | None) -> Convert | None:
    if convert is None:
        return None

    def convert_all(values: list[Any]) -> list[Any]:
        return [_at(index, value, convert) for index, value in enumerate(values)]

    return convert_all


def _map(convert: Convert | None) -> Convert:
    def convert_all(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
        if convert is None:
            return list(values.items())
        return [(key, _at(key, value, convert)) for key, value in values.items()]

    return convert_all


def _at(part: str | int, value: Any, convert: Convert) -> Any:
    if value is None:
        return None
    try:
        return convert(value)
    except MisfitError as misfit:
        raise misfit.below(part) from None


SIMPLE: Mapping[str, Convert] = {"BIGINT": _bigint, "DOUBLE": _double, "TIMESTAMP": micros}

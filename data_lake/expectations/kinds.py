"""The kinds of expectations: each is about the rows of a date, and has a number for it that must lie in bounds.

The number is what :mod:`batch_processing.quality` measures; ``bounds`` are what it is held against.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Bounds = tuple[float | None, float | None]
"""The lowest and the highest number that is as expected; None where there is no such bound."""
Number = Annotated[float, Field(strict=True)]
Share = Annotated[float, Field(ge=0, lt=1, strict=True)]
Text = Annotated[str, Field(min_length=1)]
LEAST_WEEKS = 2
"""Of fewer same weekdays before nobody can say what is usual."""


def _check_weeks(weeks: int) -> int:
    if weeks < LEAST_WEEKS:
        raise ValueError(f"of fewer than {LEAST_WEEKS} weeks before nobody can say what is usual")
    return weeks


Weeks = Annotated[int, Field(le=52, strict=True), AfterValidator(_check_weeks)]
Least = Annotated[int, Field(ge=1, strict=True)]
"""Of a date with fewer rows nothing is said."""
MOST_DAYS = 366


class Severity(StrEnum):
    """``CRITICAL`` stops what stands behind the table, ``WARNING`` is told and stops nothing."""

    CRITICAL = "critical"
    WARNING = "warning"


class _Kind(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    severity: Severity = Severity.CRITICAL

    @property
    def columns_read(self) -> tuple[str, ...]:
        """The columns of the table that the declaration names."""
        return ()


class Volume(_Kind):
    """Rows of a date, as a multiple of the median of the same weekday in the ``weeks`` before."""

    kind: Literal["volume"]
    weeks: Weeks = 4
    min: Number = Field(default=0.5, ge=0)
    max: Annotated[Number, Field(gt=0)] | None = 2.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _check_order(self.min, self.max)
        return self

    @property
    def meaning(self) -> str:
        return f"rows, as a multiple of the median of the same weekday in the {self.weeks} weeks before"

    @property
    def bounds(self) -> Bounds:
        return self.min, self.max


class Freshness(_Kind):
    """Hours between the newest ``event_time`` of the table, none from the future, and now."""

    kind: Literal["freshness"]
    within_h: Number = Field(gt=0)

    @property
    def meaning(self) -> str:
        return "hours since the newest event of the table"

    @property
    def bounds(self) -> Bounds:
        return None, self.within_h

    @property
    def columns_read(self) -> tuple[str, ...]:
        return ("event_time",)


class NullShare(_Kind):
    """The share of a date's rows that have no value in ``column``."""

    kind: Literal["null_share"]
    column: Text
    max: Share
    least_rows: Least = 1

    @property
    def meaning(self) -> str:
        return f"share of rows without a value in {self.column}"

    @property
    def bounds(self) -> Bounds:
        return None, self.max

    @property
    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)


class Unique(_Kind):
    """The share of a date's rows whose ``columns`` another row has, of that date or one at most ``days`` away.

    Rows without a value in one of ``columns`` are like no other.
    """

    kind: Literal["unique"]
    columns: Annotated[tuple[Text, ...], Field(min_length=1)]
    days: int = Field(default=31, ge=0, le=MOST_DAYS, strict=True)
    max: Share = 0.0

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: a column stands there twice")
        return self

    @property
    def meaning(self) -> str:
        return f"share of rows whose {', '.join(self.columns)} another row has, at most {self.days} days away"

    @property
    def bounds(self) -> Bounds:
        return None, self.max

    @property
    def columns_read(self) -> tuple[str, ...]:
        return self.columns


class Known(_Kind):
    """The share of a date's rows with a value in ``column`` that column ``as`` of ``table`` does not have."""

    model_config = ConfigDict(populate_by_name=True)

    kind: Literal["known"]
    column: Text
    table: Text
    as_column: Text | None = Field(default=None, alias="as")
    max: Share = 0.0
    least_rows: Least = 1

    @property
    def meaning(self) -> str:
        return f"share of values in {self.column} that {self.referenced} of {self.table} does not have"

    @property
    def bounds(self) -> Bounds:
        return None, self.max

    @property
    def columns_read(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def referenced(self) -> str:
        """The column of ``table``."""
        return self.as_column or self.column


class Distribution(_Kind):
    """How far quantiles of ``of`` are from the same weekday's in the ``weeks`` before, as the largest factor of any.

    1 is not at all, 2 is twice as much or half; a quantile that fell to 0, or rose from it, is further than any factor.
    ``of`` is Spark SQL over the columns of a row, a number of 0 or more.
    """

    kind: Literal["distribution"]
    of: Text
    quantiles: Annotated[tuple[Annotated[Number, Field(gt=0, lt=1)], ...], Field(min_length=1, max_length=20)] = (
        0.25,
        0.5,
        0.75,
        0.95,
    )
    weeks: Weeks = 4
    factor: Number = Field(default=2.0, gt=1)
    least_rows: Least = 30

    @property
    def meaning(self) -> str:
        return f"factor between quantiles of {self.of} and the same weekday's in the {self.weeks} weeks before"

    @property
    def bounds(self) -> Bounds:
        return None, self.factor


class Measure(_Kind):
    """A number of a date's rows: ``sql`` is a Spark SQL aggregate over the columns of the table."""

    kind: Literal["measure"]
    sql: Text
    min: Number | None = None
    max: Number | None = None
    least_rows: Least = 1

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("min or max is missing: without a bound any number is as expected")
        _check_order(self.min, self.max)
        return self

    @property
    def meaning(self) -> str:
        return self.sql

    @property
    def bounds(self) -> Bounds:
        return self.min, self.max


Kind = Volume | Freshness | NullShare | Unique | Known | Distribution | Measure
Expectation = Annotated[Kind, Field(discriminator="kind")]
KINDS: dict[str, type[Kind]] = {
    "distribution": Distribution,
    "freshness": Freshness,
    "known": Known,
    "measure": Measure,
    "null_share": NullShare,
    "unique": Unique,
    "volume": Volume,
}


def _check_order(low: float | None, high: float | None) -> None:
    if low is not None and high is not None and low > high:
        raise ValueError(f"min = {low:g} is above max = {high:g}: no number can be as expected")


def in_words(bounds: Bounds) -> str:
    """Such as ``at least 0.5 and at most 2``."""
    low, high = bounds
    parts = [f"at least {low:g}" if low is not None else "", f"at most {high:g}" if high is not None else ""]
    return " and ".join(part for part in parts if part)

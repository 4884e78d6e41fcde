"""The profile of a table: one pass over Arrow batches, and the merge of what several passes saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from monitoring.profiles.categorical import CategoricalProfile
from monitoring.profiles.definition import ColumnDefinition, Kind, TableDefinition
from monitoring.profiles.numeric import NumericProfile
from tidemill.config.errors import TerminalError

ColumnProfile = NumericProfile | CategoricalProfile


class IncompatibleProfilesError(TerminalError):
    """Profiles of different columns, kinds or ranges, which cannot be merged or compared."""


class UnprofiledColumnError(TerminalError):
    """A column that the rows do not have, or whose values are not of its kind."""


@dataclass
class TableProfile:
    """``earliest`` and ``latest`` are the times of rows, None when the definition has no time column or there is none.

    Its size depends on the columns, not on the rows: up to about 27 KB a number, 8 KB and 1,000 categories a text.
    """

    definition: TableDefinition
    columns: Mapping[str, ColumnProfile]
    rows: int = 0
    earliest: datetime | None = None
    latest: datetime | None = None

    @classmethod
    def empty(cls, definition: TableDefinition) -> "TableProfile":
        return cls(definition, {column.name: _empty(column) for column in definition.columns})

    def update(self, batch: pa.RecordBatch) -> None:
        """Take in more rows.

        Raises:
            UnprofiledColumnError: a column is not there or not of its kind.
        """
        for name, profile in self.columns.items():
            try:
                profile.update(_column(batch, name))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise UnprofiledColumnError(f"column {name} cannot be profiled as it is defined: {error}") from None
        if self.definition.time_column is not None:
            self._take_times(_column(batch, self.definition.time_column))
        self.rows += batch.num_rows

    def merge(self, other: "TableProfile") -> "TableProfile":
        """Of the rows of both.

        Raises:
            IncompatibleProfilesError: they are not of one definition.
        """
        if self.definition != other.definition:
            raise IncompatibleProfilesError(
                f"profiles of different columns or ranges cannot be merged: {difference(self, other)}"
            )
        times = [time for time in (self.earliest, other.earliest, self.latest, other.latest) if time is not None]
        columns = {name: _merged(profile, other.columns[name]) for name, profile in self.columns.items()}
        return TableProfile(
            self.definition,
            columns,
            self.rows + other.rows,
            min(times, default=None),
            max(times, default=None),
        )

    def definition_to_compare(self) -> TableDefinition:
        """The definition by which later rows are profiled: what leaves this profile's range is counted exactly."""
        return replace(self.definition, columns=tuple(self._with_range(column) for column in self.definition.columns))

    def _with_range(self, column: ColumnDefinition) -> ColumnDefinition:
        profile = self.columns[column.name]
        if not isinstance(profile, NumericProfile) or not profile.count:
            return column
        low = profile.quantiles.low if column.low is None else column.low
        high = profile.quantiles.high if column.high is None else column.high
        return replace(column, low=low, high=high)

    def _take_times(self, column: pa.Array) -> None:
        span = pc.min_max(pc.cast(column, pa.timestamp("us", tz="UTC"), safe=False))
        seen = [_as_utc(span["min"]), _as_utc(span["max"]), self.earliest, self.latest]
        times = [time for time in seen if time is not None]
        self.earliest, self.latest = min(times, default=None), max(times, default=None)


def profile_batches(batches: Iterable[pa.RecordBatch], definition: TableDefinition) -> TableProfile:
    """The profile of all rows of ``batches``, read once, a column at a time.

    Raises:
        UnprofiledColumnError: a batch has not the columns of the definition.
    """
    profile = TableProfile.empty(definition)
    for batch in batches:
        profile.update(batch)
    return profile


def profile_table(table: pa.Table, definition: TableDefinition) -> TableProfile:
    """The profile of a table in memory."""
    return profile_batches(table.to_batches(), definition)


def difference(one: TableProfile, other: TableProfile) -> str:
    """What two definitions differ in, for a message."""
    here, there = set(one.definition.columns), set(other.definition.columns)
    names = sorted({column.name for column in here ^ there})
    return ", ".join(names) or f"times of {one.definition.time_column} and {other.definition.time_column}"


def _empty(column: ColumnDefinition) -> ColumnProfile:
    if column.kind is Kind.NUMERIC:
        return NumericProfile(column.low, column.high)
    return CategoricalProfile()


def _merged(one: ColumnProfile, other: ColumnProfile) -> ColumnProfile:
    match one, other:
        case NumericProfile(), NumericProfile():
            return one.merge(other)
        case CategoricalProfile(), CategoricalProfile():
            return one.merge(other)
    raise IncompatibleProfilesError("a column of numbers cannot be merged with one of categories")


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        raise UnprofiledColumnError(f"the rows have no column {name}; they have {', '.join(batch.schema.names)}")
    return batch.column(name)


def _as_utc(value: pa.Scalar) -> datetime | None:
    time: datetime | None = value.as_py()
    return time.astimezone(UTC) if time is not None else None

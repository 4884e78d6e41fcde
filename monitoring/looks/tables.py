"""Any table of the lake in a period against another: for tables that no model stands on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import UnknownTableError, table
from monitoring.drift import Budget, Current, EffectLimits, Judgement, Policy, Reference, judge
from monitoring.looks.served import Window
from monitoring.profiles import ProfileDefinitionError, RowSample, TableDefinition, TableProfile
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

ROWS = 100_000
EVENT_TIME = "event_time"
DAY = timedelta(days=1)


class NoTimeColumnError(TerminalError):
    """A table whose rows cannot be told apart by time."""


class EmptyPeriodError(TerminalError):
    """A side without a row."""


@dataclass(frozen=True)
class Source:
    """Rows of a table in a window of the time in ``time_column``; without a window all rows."""

    name: str
    delta: DeltaTable
    time_column: str | None
    window: Window | None

    def __str__(self) -> str:
        period = f" from {self.window.begin:%F %T} to {self.window.end:%F %T} UTC" if self.window else ""
        return f"{self.name}{period}"

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows, read once, some thousands at a time."""
        names = ", ".join(map(_quoted, columns))
        query, params = f"SELECT {names} FROM source", []  # noqa: S608 - quoted
        if self.window is not None and self.time_column is not None:
            time = _quoted(self.time_column)
            query += f" WHERE {time} >= ? AND {time} < ?"
            params = [self.window.begin, self.window.end]
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("source", arrow.source(self.delta))
            yield from connection.sql(query, params=params).to_arrow_reader(ROWS)


@dataclass(frozen=True)
class Compared:
    """What was compared, and the verdicts."""

    reference: str
    reference_rows: int
    current: str
    current_rows: int
    judgement: Judgement


def source(settings: Settings, name: str, time_column: str | None, window: Window | None) -> Source:
    """The table of that name, such as ``silver/transactions``, or at that path or address.

    Raises:
        MissingTableError: there is none.
        NoTimeColumnError: a window of it was asked for, and no column tells the time.
    """
    delta = _opened(settings, name)
    if window is None:
        return Source(name, delta, time_column, None)
    return Source(name, delta, time_column or _time_column(name, _schema(delta)), window)


def compare(
    settings: Settings, reference: Source, current: Source, columns: Sequence[str] = (), alpha: float = 0.05
) -> Compared:
    """Profiles both sides in one pass each; ``alpha`` is for this comparison alone.

    Raises:
        ProfileDefinitionError: a column is not there, or none is left.
        EmptyPeriodError: a side has no row.
    """
    definition = TableDefinition.of_schema(_chosen(reference, columns))
    before, sample = _read(settings, reference, definition)
    now, sample_now = _read(settings, current, before.definition_to_compare())
    until = current.window.end if current.window else datetime.now(UTC)
    policy = Policy(EffectLimits(settings.drift.shift), once(alpha), settings.drift.least_rows)
    judgement = judge(Reference(before, sample=sample), Current(now, until, sample_now), policy)
    return Compared(str(reference), before.rows, str(current), now.rows, judgement)


def once(alpha: float) -> Budget:
    """A budget of which a first look spends ``alpha``: half of that of a period, which may begin just before it."""
    return Budget(min(2 * alpha, 1 - 1e-9), DAY, DAY)


def _read(settings: Settings, of: Source, definition: TableDefinition) -> tuple[TableProfile, RowSample]:
    random = np.random.default_rng(0)
    profile = TableProfile.empty(definition)
    sample: RowSample | None = None
    for batch in of.batches([column.name for column in definition.columns]):
        profile.update(batch)
        drawn = RowSample.of(pa.Table.from_batches([batch]), settings.drift.sample_rows, random)
        sample = drawn if sample is None else sample.merge(drawn)
    if sample is None or not profile.rows:
        raise EmptyPeriodError(f"{of} has no row: give another period")
    return profile, sample


def _chosen(of: Source, columns: Sequence[str]) -> pa.Schema:
    """The columns that were named; else all but those that say which row it is, when and whence it came."""
    schema = _schema(of.delta)
    if missing := sorted(set(columns) - set(schema.names)):
        raise ProfileDefinitionError(f"{of.name} has no column {', '.join(missing)}; it has {', '.join(schema.names)}")
    if columns:
        return pa.schema([schema.field(name) for name in columns])
    left_out = {of.time_column, *of.delta.metadata().partition_columns, *_keys(of.name)}
    return pa.schema([field for field in schema if field.name not in left_out and not field.name.startswith("_")])


def _keys(name: str) -> tuple[str, ...]:
    try:
        return table(name).keys
    except UnknownTableError:
        return ()


def _opened(settings: Settings, name: str) -> DeltaTable:
    try:
        return open_table(table(name), settings)
    except UnknownTableError as error:
        try:
            return DeltaTable(name, storage_options=settings.lake.storage_options or None)
        except (TableNotFoundError, ValueError, OSError):
            raise MissingTableError(f"{error}; and no Delta table is at that path") from None


def _schema(delta: DeltaTable) -> pa.Schema:
    return pa.schema(delta.schema().to_arrow())


def _time_column(name: str, schema: pa.Schema) -> str:
    if EVENT_TIME in schema.names:
        return EVENT_TIME
    times = [field.name for field in schema if pa.types.is_timestamp(field.type) or pa.types.is_date(field.type)]
    if len(times) != 1:
        there = f"it has {', '.join(times)}" if times else "no column of it is a time or a date"
        raise NoTimeColumnError(f"{name}: name the column that tells a row's time with --time-column; {there}")
    return str(times[0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

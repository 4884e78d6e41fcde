"""What a gold table must recompute: the dates that changed in its source since the gold table's own last commit.

Every commit of a gold job notes in its ``userMetadata`` which version of which source it was made from. That note and
the rows are one commit, so a job that dies leaves either both or neither, and the next run starts from the truth.
"""

import itertools
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import DataFrame, SparkSession

from data_lake import commits
from data_lake.table import Table
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

LOGGER = logging.getLogger(__name__)
MAX_RANGES = 64


class SourceMissingError(TransientError):
    """The table a job reads does not exist yet."""


@dataclass(frozen=True)
class Derivation:
    """A gold table and the one table it is made from; with other ``parameters`` every row is made again."""

    source: Table
    target: Table
    parameters: Mapping[str, int | str]


@dataclass(frozen=True)
class Note:
    """What a gold commit says of itself: the source and version it was made from, and the job's parameters."""

    source: str
    source_id: str
    source_version: int
    parameters: Mapping[str, int | str]

    def to_json(self) -> str:
        return json.dumps({"tidemill": asdict(self)}, sort_keys=True)

    @staticmethod
    def from_json(text: str | None) -> "Note | None":
        """The note in a commit's metadata; None when the commit is not a gold job's."""
        try:
            content = json.loads(text or "null")
        except json.JSONDecodeError:
            return None
        noted = content.get("tidemill") if isinstance(content, dict) else None
        return Note(**noted) if isinstance(noted, dict) else None


@dataclass(frozen=True)
class Pending:
    """What is to be recomputed, and the note of the commit that will do it.

    ``dates`` are the source's dates with changed rows; None stands for all of them, and ``reason`` says why.
    """

    note: Note
    dates: tuple[date, ...] | None
    reason: str

    @property
    def is_nothing(self) -> bool:
        return self.dates == ()


def pending(spark: SparkSession, settings: Settings, derivation: Derivation, full: bool) -> Pending:
    """What the target lacks of the source; everything when ``full``.

    Raises:
        SourceMissingError: the source table does not exist.
    """
    now = note_of(settings, derivation.source, derivation.parameters)
    return pending_since(spark, settings, derivation.source, _noted(settings, derivation.target), now, full)


def note_of(settings: Settings, source: Table, parameters: Mapping[str, int | str]) -> Note:
    """The note of what is made from ``source`` as it is now.

    Raises:
        SourceMissingError: the source table does not exist.
    """
    if not commits.exists(source, settings):
        path = source.path(settings)
        raise SourceMissingError(f"{source.name} does not exist at {path}: start what writes it, then run this again")
    version = commits.current_version(source, settings)
    return Note(source.name, commits.table_id(source, settings), version, parameters)


def pending_since(  # noqa: PLR0913, PLR0917 - where, what, from where to where
    spark: SparkSession, settings: Settings, source: Table, before: Note | None, now: Note, full: bool
) -> Pending:
    """What changed in ``source`` between two notes; everything when ``full``, or when that cannot be told."""
    reason = "asked for" if full else _reason_for_all(before, now)
    if reason or before is None:
        return Pending(now, None, reason)
    return _changes(spark, source.path(settings), before.source_version, now)


def read_source(spark: SparkSession, settings: Settings, source: Table, work: Pending) -> DataFrame:
    """The source as it was at the noted version: what is committed meanwhile is the next run's."""
    reader = spark.read.format("delta").option("versionAsOf", work.note.source_version)
    return reader.load(source.path(settings))


def _noted(settings: Settings, target: Table) -> Note | None:
    change = commits.newest_change(target, settings) if commits.exists(target, settings) else None
    return Note.from_json(change.user_metadata) if change else None


def _reason_for_all(before: Note | None, now: Note) -> str:
    if before is None:
        return "the table is new, or its newest commit is not this job's"
    if before.parameters != now.parameters:
        return f"parameters changed from {dict(before.parameters)} to {dict(now.parameters)}"
    if (before.source, before.source_id) != (now.source, now.source_id):
        return f"{now.source} is another table than before"
    if before.source_version > now.source_version:
        return f"{now.source} went back from version {before.source_version} to {now.source_version}"
    return ""


def _changes(spark: SparkSession, path: str, since: int, note: Note) -> Pending:
    if since == note.source_version:
        return Pending(note, (), f"{note.source} is still at version {since}")
    span = f"versions {since + 1} to {note.source_version} of {note.source}"
    try:
        dates = _changed_dates(spark, path, since + 1, note.source_version)
    except (Py4JJavaError, CapturedException) as error:
        gone = commits.gone(error)
        if gone is None:
            raise
        LOGGER.warning("the change feed of %s can no longer be read (%s): recomputing all dates", span, gone)
        return Pending(note, None, f"the change feed of {span} is gone ({gone})")
    return Pending(note, dates, span if dates else f"{span} changed no row")


def _changed_dates(spark: SparkSession, path: str, first: int, last: int) -> tuple[date, ...]:
    feed = spark.read.format("delta").option("readChangeFeed", "true")
    rows = feed.option("startingVersion", first).option("endingVersion", last).load(path)
    return tuple(sorted(row["event_date"] for row in rows.select("event_date").distinct().collect()))


def in_dates(column: str, dates: Sequence[date]) -> str:
    """A SQL condition true on ``dates`` (not empty), made of at most ``MAX_RANGES`` ranges.

    Dates in the smallest gaps between ranges are included when there are more: recomputing a date that did not change
    gives the rows it has.
    """
    ranges = date_ranges(dates, MAX_RANGES)
    return " OR ".join(f"{column} BETWEEN DATE'{first}' AND DATE'{last}'" for first, last in ranges)


def date_ranges(dates: Sequence[date], limit: int) -> list[tuple[date, date]]:
    """The ascending ranges that cover ``dates``, at most ``limit``, with as few other dates as that allows."""
    days = sorted(set(dates))
    gaps = sorted(((after - before, after) for before, after in itertools.pairwise(days)), reverse=True)
    starts = sorted(after for gap, after in gaps[: limit - 1] if gap > timedelta(days=1))
    firsts = [days[0], *starts]
    lasts = [max(day for day in days if day < start) for start in starts] + [days[-1]]
    return list(zip(firsts, lasts, strict=True))

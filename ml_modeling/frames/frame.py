"""The training frame of a use case, read from the lake by Spark: labels, and features as they were at each moment."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.delta_rs import open_table, rows
from data_lake.spark import session
from data_lake.tables import table
from feature_store.definitions import Absence, FutureAggregate, Outcome, Own
from feature_store.offline.training import training_frame
from ml_modeling.frames import examples
from ml_modeling.frames.cutoffs import split_cutoffs
from ml_modeling.frames.event_range import EventRange, event_range
from ml_modeling.frames.examples import TrainingFrame
from ml_modeling.frames.leakage import check_maturity, check_windows
from ml_modeling.frames.periods import embargo, split_periods
from ml_modeling.frames.splits import Split
from ml_modeling.questions import EVENT_TIMESTAMP, KEY, LABEL, MATURED, Tables, sampled
from ml_modeling.questions.cutoffs import labelled_at_cutoffs
from ml_modeling.questions.events import labelled_events
from ml_modeling.questions.lake import NoDataError, per_day
from ml_modeling.questions.profiles import profile_source, with_groups
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

__all__ = ["NoDataError", "SplitFrame", "read_in_session", "read_split_frame"]

DAY_SECONDS = 86_400
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitFrame:
    """``table_versions`` are the Delta versions the frame was read at, ``events`` the days its rows are from.

    ``table_rows`` are how many rows each table had.
    """

    frame: TrainingFrame
    split: Split
    table_versions: Mapping[str, int]
    events: EventRange
    table_rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Labelled:
    """The rows of every part, in Spark; they come out of ``cached``, which the join looks at more than once."""

    rows: DataFrame
    cached: DataFrame
    split: Split
    events: EventRange


def read_split_frame(
    spark: SparkSession, settings: Settings, use_case: UseCase, today: date | None = None
) -> SplitFrame:
    """The labelled examples of every moment the specification asks for, with the split in time.

    No label is used that was not known before ``today``, the day in UTC when it is not given.

    Raises:
        NoDataError: a table is missing or empty.
        QuestionError: the tables cannot answer the question.
        HistoryTooShortError: the events do not reach far enough for the split.
        LeakageError: a label is not known before the next part begins.
    """
    question = use_case.question
    fairness = use_case.spec.fairness
    beside = [profile_source(fairness)] if fairness else []
    tables = Tables.of(spark, settings, question, use_case.service, beside)
    day = today or datetime.now(UTC).date()
    if isinstance(question, Absence | FutureAggregate):
        labelled = _at_cutoffs(tables, use_case, question, day)
    else:
        labelled = _of_events(tables, use_case, question, day)
    spine = sampled(labelled.rows, question.entity.key, use_case.spec.max_rows)
    if fairness is not None:
        spine = with_groups(tables, spine, question.entity, fairness)
    found = training_frame(spine, use_case.service, settings, versions=tables.versions).toPandas()
    labelled.cached.unpersist()
    frame = _frame(found, use_case)
    check_maturity(frame, labelled.split)
    counted = {name: rows(open_table(table(name), settings, version)) for name, version in tables.versions.items()}
    return SplitFrame(frame, labelled.split, tables.versions, labelled.events, counted)


def read_in_session(settings: Settings, use_case: UseCase) -> SplitFrame:
    """:func:`read_split_frame` in a Spark session of its own, whose memory is free again when the frame is there."""
    spark = session(f"train {use_case.name}", settings)
    try:
        return read_split_frame(spark, settings, use_case)
    finally:
        spark.stop()


def _at_cutoffs(tables: Tables, use_case: UseCase, question: Absence | FutureAggregate, today: date) -> _Labelled:
    found = event_range(tables.days(question.source), today)
    if found.left_out:
        log.warning("%s: no cutoff is taken from events outside of the rest: %s", question.source.table, found.left_out)
    split = split_cutoffs(found.first, found.end, question.horizon, use_case.cutoffs, use_case.window)
    check_windows(split, question.horizon, found.end)
    log.info("%d cutoffs from %s to %s, test %s", len(split.all), split.all[0], split.all[-1], split.test)
    rows = labelled_at_cutoffs(tables, question, split.all).persist()
    return _Labelled(rows, rows, split, found)


def _of_events(tables: Tables, use_case: UseCase, question: Outcome | Own, today: date) -> _Labelled:
    """The rows of labelled events, and their split: labels that came on ``today`` or later are not there."""
    for source, _ in question.reads:
        tables.days(source)  # says which table is empty
    labelled = labelled_events(tables, question, use_case.service).persist()
    matured = per_day(labelled, MATURED)
    if not matured:
        raise NoDataError(f"{use_case.name}: no event has its label yet: feed the events that say what became of them")
    known = event_range(matured, today)
    labelled_by_then = labelled.where(F.col(MATURED) < F.lit(known.end).cast("timestamp"))
    gap = embargo(_delays(labelled_by_then), use_case.periods.matured_share)
    found = event_range(per_day(labelled_by_then, EVENT_TIMESTAMP), today)
    if found.left_out:
        log.warning("%s: no part has the events outside of the rest: %s", use_case.name, found.left_out)
    split = split_periods(found.first, known.end - gap, gap, use_case.periods, use_case.window)
    log.info("labels take %d days; test %s, final fit %s", gap.days, split.test, split.fit)
    reach = split.reach
    at = F.to_date(EVENT_TIMESTAMP)
    return _Labelled(labelled_by_then.where((at >= reach.begin) & (at < reach.end)), labelled, split, found)


def _delays(labelled: DataFrame) -> dict[int, int]:
    """How many labels took how many days, begun ones as whole: as many numbers as there are days."""
    seconds = (F.unix_micros(MATURED) - F.unix_micros(EVENT_TIMESTAMP)) / 1_000_000
    days = F.ceil(seconds / DAY_SECONDS).alias("days")
    return {row["days"]: row["count"] for row in labelled.groupBy(days).count().collect()}


def _frame(rows: pd.DataFrame, use_case: UseCase) -> TrainingFrame:
    columns = {
        use_case.question.entity.key: examples.ENTITY,
        EVENT_TIMESTAMP: examples.TIME,
        LABEL: examples.LABEL,
        MATURED: examples.MATURED,
        KEY: examples.KEY,
    }
    named = rows.rename(columns=columns)
    features = list(use_case.features)
    named[features] = named[features].astype("float64")
    kept = [name for name in map(str, named.columns) if name in examples.OWN or name.startswith(examples.GROUP_OF)]
    return TrainingFrame(named[[*kept, *features]], use_case.features, use_case.task.name)

"""The training frame of a use case, read from the lake by Spark: labels, and features as they were at each cutoff."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from data_lake import commits
from data_lake.tables import Table, silver, table
from feature_store.training import training_frame
from ml_modeling.cutoffs import Split, split_cutoffs
from ml_modeling.event_range import EventRange, event_range
from ml_modeling.examples import CUTOFF, ENTITY, LABEL, TrainingFrame
from ml_modeling.labels import EVENT_TIMESTAMP, labelled_spine, sampled
from ml_modeling.leakage import check_windows
from ml_modeling.use_case import UseCase
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

log = logging.getLogger(__name__)


class NoDataError(TerminalError):
    """The lake has no events to train on; the message names the table and what fills it."""


@dataclass(frozen=True)
class SplitFrame:
    """``table_versions`` are the Delta versions the frame was read at, ``events`` the days its cutoffs are from."""

    frame: TrainingFrame
    split: Split
    table_versions: Mapping[str, int]
    events: EventRange


def read_split_frame(
    spark: SparkSession, settings: Settings, use_case: UseCase, today: date | None = None
) -> SplitFrame:
    """The labelled examples of every cutoff the specification asks for, with the split in time.

    No label window reaches past ``today``, the day in UTC when it is not given.

    Raises:
        NoDataError: a table is missing or empty.
        HistoryTooShortError: the events do not reach far enough for the split.
        LeakageError: a label window overlaps the next part.
    """
    label, service = use_case.label, use_case.service
    sources = dict.fromkeys([silver(label.source).name, *(group.source.table for group in service.groups)])
    versions = {name: _version(settings, table(name)) for name in sources}
    path = silver(label.source).path(settings)
    events = spark.read.format("delta").option("versionAsOf", versions[silver(label.source).name]).load(path)
    found = event_range(_days(events, silver(label.source)), today or datetime.now(UTC).date())
    if found.left_out:
        log.warning("%s: no cutoff is taken from events outside of the rest: %s", label.source, found.left_out)
    split = split_cutoffs(found.first, found.end, label.horizon, use_case.spec.cutoffs)
    check_windows(split, label.horizon, found.end)
    log.info("%d cutoffs from %s to %s, test %s", len(split.all), split.all[0], split.all[-1], split.test)
    labelled = labelled_spine(spark, events, split.all, label).persist()  # the join looks at it more than once
    spine = sampled(labelled, label.entity_column, use_case.spec.max_rows)
    rows = training_frame(spine, service, settings, versions=versions).toPandas()
    labelled.unpersist()
    return SplitFrame(_frame(rows, use_case), split, versions, found)


def _version(settings: Settings, source: Table) -> int:
    if not commits.exists(source, settings):
        raise NoDataError(f"no table {source.name} at {source.path(settings)}: start the stream and feed events first")
    return commits.current_version(source, settings)


def _days(events: DataFrame, source: Table) -> dict[date, int]:
    """How many events each day has."""
    counts = {row["event_date"]: row["count"] for row in events.groupBy("event_date").count().collect()}
    if not counts:
        raise NoDataError(f"table {source.name} has no row: feed events first (`tidemill produce`)")
    return counts


def _frame(rows: pd.DataFrame, use_case: UseCase) -> TrainingFrame:
    named = rows.rename(columns={use_case.label.entity_column: ENTITY})
    named[CUTOFF] = pd.to_datetime(named[EVENT_TIMESTAMP]).dt.date
    features = list(use_case.features)
    named[features] = named[features].astype("float64")
    return TrainingFrame(named[[ENTITY, CUTOFF, LABEL, *features]], use_case.features)

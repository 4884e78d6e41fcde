"""The training frame of a use case, read from the lake: labels by Spark, features point-in-time through Feast."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.errors import TerminalError, TransientError
from config.settings import Settings
from data_lake import commits
from data_lake.tables import Table, silver
from feature_store.offline import training_frame
from feature_store.views import service
from ml_modeling.cutoffs import Split, split_cutoffs
from ml_modeling.examples import CUTOFF, ENTITY, LABEL, TrainingFrame
from ml_modeling.labels import EVENT_TIMESTAMP, labelled_spine, sampled
from ml_modeling.leakage import check_windows
from ml_modeling.use_case import UseCase

log = logging.getLogger(__name__)


class NoDataError(TerminalError):
    """The lake has no events or no snapshots to train on; the message names the table and what fills it."""


class TableChangedError(TransientError):
    """A table was written while the frame was read from it."""


@dataclass(frozen=True)
class SplitFrame:
    """``table_versions`` are the Delta versions the frame was read at; events are complete up to ``end``."""

    frame: TrainingFrame
    split: Split
    table_versions: Mapping[str, int]
    first: date
    end: date


def read_split_frame(spark: SparkSession, settings: Settings, use_case: UseCase) -> SplitFrame:
    """The labelled examples of every cutoff the specification asks for, with the split in time.

    Raises:
        NoDataError: a table is missing or empty.
        HistoryTooShortError: the events do not reach far enough for the split.
        LeakageError: a label window overlaps the next part.
        TableChangedError: the snapshots were rewritten meanwhile.
    """
    label, view = use_case.label, service(use_case.feature_service).view
    events_table = silver(label.source)
    versions = {table.name: _version(spark, settings, table) for table in (events_table, view.table)}
    path = events_table.path(settings)
    events = spark.read.format("delta").option("versionAsOf", versions[events_table.name]).load(path)
    first, end = _event_days(events, events_table)
    snapshots = spark.read.format("delta").load(view.table.path(settings)).select("snapshot_date").distinct()
    days = [row.snapshot_date for row in snapshots.collect()]
    split = split_cutoffs(days, first, end, label.horizon, use_case.spec.cutoffs)
    check_windows(split, label.horizon, end)
    log.info("%d cutoffs from %s to %s, test %s", len(split.all), split.all[0], split.all[-1], split.test)
    labelled = labelled_spine(spark, events, split.all, label).persist()  # the join looks at it more than once
    spine = sampled(labelled, label.entity_column, use_case.spec.max_rows)
    rows = training_frame(spark, settings, spine, use_case.feature_service).toPandas()
    labelled.unpersist()
    if _version(spark, settings, view.table) != versions[view.table.name]:
        raise TableChangedError(f"{view.table.name} was written while training read it: try again")
    frame = _frame(rows, use_case)
    return SplitFrame(frame, split, versions, first, end)


def _version(spark: SparkSession, settings: Settings, table: Table) -> int:
    path = table.path(settings)
    if not commits.exists(spark, path):
        raise NoDataError(f"no table {table.name} at {path}: run the stream and the gold jobs first")
    return commits.current_version(spark, path)


def _event_days(events: DataFrame, table: Table) -> tuple[date, date]:
    row = events.agg(F.min("event_date").alias("first"), F.max("event_date").alias("end")).collect()[0]
    if row["first"] is None:
        raise NoDataError(f"table {table.name} has no row: feed events first (`tidemill produce`)")
    return row["first"], row["end"]


def _frame(rows: pd.DataFrame, use_case: UseCase) -> TrainingFrame:
    named = rows.rename(columns={use_case.label.entity_column: ENTITY})
    named[CUTOFF] = pd.to_datetime(named[EVENT_TIMESTAMP]).dt.date
    features = list(use_case.features)
    named[features] = named[features].astype("float64")
    return TrainingFrame(named[[ENTITY, CUTOFF, LABEL, *features]], use_case.features)

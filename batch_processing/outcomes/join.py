"""Brings the outcomes of a use case up to the lake: what may have changed is judged again, and merged in one commit."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime

from delta.tables import DeltaTable
from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors.exceptions.captured import CapturedException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from batch_processing.gold_table import ConcurrentRunError, recording_empty_commits
from batch_processing.incremental import in_dates
from batch_processing.outcomes.affected import Changes, affected, all_of_it
from batch_processing.outcomes.judged import judged
from batch_processing.outcomes.predictions import IDENTITY, predictions
from batch_processing.outcomes.reach import known_until
from batch_processing.outcomes.versions import Versions, note, noted, reason_for_all, versions_now
from data_lake import commits
from data_lake.delta_tables import ensure_table
from data_lake.table import Table
from data_lake.tables import silver, table
from ml_modeling.questions import Tables
from ml_modeling.replay.logged import PREDICTIONS
from ml_modeling.use_case import UseCase
from tidemill.config.settings import Settings

LOGGER = logging.getLogger(__name__)
METADATA = "spark.databricks.delta.commitInfo.userMetadata"
IS_GONE, STANDS = "is_gone", "stands"


@dataclass(frozen=True)
class Joined:
    """``judged`` predictions were looked at, ``changed`` of them are others in the table now."""

    use_case: str
    judged: int
    changed: int
    reason: str


def outcomes_table() -> Table:
    return table("gold/prediction_outcomes")


def join_outcomes(spark: SparkSession, settings: Settings, use_case: UseCase, now: datetime, full: bool) -> Joined:
    """Join what came true by ``now`` (aware) to the predictions of a use case; commits nothing without anything new.

    Raises:
        SourceMissingError: the log or a table of the question does not exist.
        QuestionError: the tables cannot answer the question.
        ConcurrentRunError: another run wrote the table meanwhile.
    """
    target, notes = outcomes_table(), noted(settings, outcomes_table())
    versions, before = versions_now(settings, use_case), notes.get(use_case.name)
    ensure_table(spark, target, settings)
    tables = Tables(spark, settings, versions.by_table)
    until = known_until(tables, use_case.question, now)
    log, outcomes = _log(spark, settings, versions), spark.read.format("delta").load(target.path(settings))
    reason = "asked for" if full else reason_for_all(before, versions)
    if reason or before is None:
        again = all_of_it(use_case, log, outcomes).persist()
    else:
        again, reason = _since(use_case, Changes(spark, settings, before, versions), log, outcomes, until)
    with ExitStack() as kept:
        kept.callback(again.unpersist)
        days = [row["event_date"] for row in again.select("event_date").distinct().collect()]
        if not days and before == versions:
            return Joined(use_case.name, 0, 0, "nothing new")
        of_days = F.expr(in_dates("event_date", days)) if days else F.lit(False)
        asked = predictions(log.where(of_days), use_case).join(again, list(IDENTITY), "left_semi").persist()
        kept.callback(asked.unpersist)
        there = outcomes.where(of_days).join(again, list(IDENTITY), "left_semi")
        changed = differing(target, there, judged(tables, use_case, asked, until)).persist()
        kept.callback(changed.unpersist)
        counted = (again.count(), changed.count())
        _merge(spark, settings, target, changed, days, note({**notes, use_case.name: versions}))
    return Joined(use_case.name, *counted, reason)


def _since(
    use_case: UseCase, changes: Changes, log: DataFrame, outcomes: DataFrame, until: datetime
) -> tuple[DataFrame, str]:
    """What changed; everything, with the reason, where the changes can no longer be read."""
    again = affected(use_case, changes, outcomes, until).persist()
    try:
        again.count()
    except (Py4JJavaError, CapturedException) as error:
        again.unpersist()
        gone = commits.gone(error)
        if gone is None:
            raise
        LOGGER.warning("%s: changes can no longer be read (%s): all predictions are judged", use_case.name, gone)
        return all_of_it(use_case, log, outcomes).persist(), f"changes can no longer be read ({gone})"
    return again, "what changed"


def _log(spark: SparkSession, settings: Settings, versions: Versions) -> DataFrame:
    source = silver(PREDICTIONS)
    reader = spark.read.format("delta").option("versionAsOf", versions.by_table[source.name])
    return reader.load(source.path(settings))


def differing(target: Table, there: DataFrame, now: DataFrame) -> DataFrame:
    """The rows of ``now`` that are others ``there``, or new, and with ``is_gone`` those that are no longer."""
    names = [column.name for column in target.columns]
    gone = there.join(now, list(IDENTITY), "left_anti").select(*names, F.lit(True).alias(IS_GONE))
    stands = there.select(*IDENTITY, _content(names).alias(STANDS))
    new = now.select(*names).join(stands, list(IDENTITY), "left").where(~F.col(STANDS).eqNullSafe(_content(names)))
    return new.select(*names, F.lit(False).alias(IS_GONE)).union(gone)


def _content(names: Sequence[str]) -> Column:
    """A row as one text: what is compared, for maps cannot be."""
    return F.to_json(F.struct(*(name for name in names if name not in IDENTITY)))


def _merge(  # noqa: PLR0913, PLR0917 - what, where, and with which note
    spark: SparkSession, settings: Settings, target: Table, changed: DataFrame, days: Sequence[date], metadata: str
) -> None:
    same = " AND ".join(f"there.{name} = new.{name}" for name in IDENTITY)
    of_days = f"({in_dates('there.event_date', days)}) AND " if days else ""
    merge = (
        DeltaTable.forPath(spark, target.path(settings))
        .alias("there")
        .merge(changed.alias("new"), f"{of_days}{same}")
        .whenMatchedDelete(f"new.{IS_GONE}")
        .whenMatchedUpdate(set=_values(target))
        .whenNotMatchedInsert(condition=f"NOT new.{IS_GONE}", values=_values(target))
    )
    with _noting(spark, metadata):
        try:
            merge.execute()
        except commits.CONFLICTS as error:
            raise ConcurrentRunError(f"{target.name} was changed by another run; run this again: {error}") from error


def _values(target: Table) -> dict[str, str | Column]:
    return {column.name: f"new.{column.name}" for column in target.columns}


@contextmanager
def _noting(spark: SparkSession, metadata: str) -> Iterator[None]:
    """The next commit's metadata: a merge takes none of its own."""
    spark.conf.set(METADATA, metadata)
    try:
        with recording_empty_commits(spark):
            yield
    finally:
        spark.conf.unset(METADATA)

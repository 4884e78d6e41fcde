"""Which groups the rows of a question belong to: what was last said of the entity before the row is asked about."""

import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables as registry
from feature_store.definitions import Entity, Source
from feature_store.offline.training import EVENT_TIMESTAMP
from ml_modeling.frames.examples import GROUP_OF, UNKNOWN
from ml_modeling.questions.lake import Tables
from ml_modeling.specification import Fairness

SAID = "__said"
log = logging.getLogger(__name__)


def profile_source(fairness: Fairness) -> Source:
    """The table of the profiles."""
    return Source(registry.silver(fairness.profile).name)


def with_groups(tables: Tables, rows: DataFrame, entity: Entity, fairness: Fairness) -> DataFrame:
    """``rows`` with a column ``group_of__<column>`` for each sensitive column.

    A profile counts that came before the row's time: one of the same moment is as late as one that comes after. The
    latest of them speaks for all columns, so what it leaves out is unknown, and so is who has none.
    """
    source, key = profile_source(fairness), entity.key
    if source.table not in tables.versions:
        log.warning("no table %s: nobody is known to be of any group", source.table)
        return rows.select("*", *(F.lit(UNKNOWN).alias(f"{GROUP_OF}{column}") for column in fairness.columns))
    said = [F.col(column).cast("string").alias(f"{GROUP_OF}{column}") for column in fairness.columns]
    at = F.struct(source.event_time, *source.tie_breaker)
    profiles = tables.rows(source).select(F.col(key), at.alias("at"), F.struct(*said).alias("said"))
    known = (
        rows.select(key, EVENT_TIMESTAMP)
        .distinct()
        .join(profiles, key)
        .where(F.col(f"at.{source.event_time}") < F.col(EVENT_TIMESTAMP))
        .groupBy(key, EVENT_TIMESTAMP)
        .agg(F.max_by("said", "at").alias(SAID))
    )
    groups = [
        F.coalesce(F.col(f"{SAID}.{GROUP_OF}{column}"), F.lit(UNKNOWN)).alias(f"{GROUP_OF}{column}")
        for column in fairness.columns
    ]
    return rows.join(known, [key, EVENT_TIMESTAMP], "left").select(*rows.columns, *groups)

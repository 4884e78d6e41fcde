"""The events of a group: from silver's rows to the columns that kernel and tiles read."""

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812
from pyspark.sql.types import DecimalType

from data_lake.tables import table
from feature_store.columns.arrow import column_of
from feature_store.columns.events import Events, Ints
from feature_store.definitions import FeatureGroup, Source
from feature_store.lake.spans import ENTITY, TIME
from tidemill.config.settings import Settings

KNOWN, TIE = "__tidemill_known", "__tidemill_tie"


def silver_events(
    spark: SparkSession, settings: Settings, group: FeatureGroup, version: int | None = None
) -> DataFrame:
    """All events of ``group`` in silver, now or at ``version``."""
    return event_columns(table_rows(spark, settings, group.source.table, version), group)


def table_rows(spark: SparkSession, settings: Settings, name: str, version: int | None = None) -> DataFrame:
    """The table called ``name``, now or at ``version``."""
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    return reader.load(table(name).path(settings))


def event_columns(rows: DataFrame, group: FeatureGroup, *kept: Column) -> DataFrame:
    """Silver's ``rows`` that have an entity and a time, as :func:`as_events` names them, and the columns ``kept``."""
    source = group.source
    return rows.where(F.col(group.entity_column).isNotNull() & F.col(source.event_time).isNotNull()).select(
        F.col(group.entity_column).cast("string").alias(ENTITY),
        F.unix_micros(source.event_time).alias(TIME),
        known_time(source).alias(KNOWN),
        F.xxhash64(*source.tie_breaker).alias(TIE),
        *(source_column(rows, source, name).alias(name) for name in group.columns),
        *kept,
    )


def known_time(source: Source) -> Column:
    """When an event became known, in microseconds: where the source does not say, when it happened."""
    return F.unix_micros(F.coalesce(source.known_time, source.event_time))


def as_events(rows: pa.Table, group: FeatureGroup, entity: Ints) -> Events:
    """The events of an Arrow table of :func:`event_columns`; ``entity`` has the number of each row's entity.

    When they became known is left out where the table does not say it.
    """
    return Events(
        entity=entity,
        time=rows[TIME].to_numpy(),
        tie=rows[TIE].to_numpy().view(np.uint64),
        columns={name: column_of(rows[name]) for name in group.columns},
        known_time=rows[KNOWN].to_numpy() if KNOWN in rows.column_names else None,
    )


def source_column(rows: DataFrame, source: Source, name: str) -> Column:
    """The column called ``name`` of the ``rows`` of a source; one that is computed or a decimal is a float64."""
    for product in source.computed:
        if product.name == name:
            return F.col(product.left).cast("double") * F.col(product.right).cast("double")
    return F.col(name).cast("double") if isinstance(rows.schema[name].dataType, DecimalType) else F.col(name)

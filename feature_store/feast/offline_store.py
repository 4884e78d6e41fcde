"""Feast's offline store: training rows by Feast's own client, which are those of ``training_frame``.

A packed state has no history for Feast to join, and needs none: what it is merged into is computed from silver.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from feast.infra.offline_stores import offline_utils
from feast.infra.offline_stores.contrib.spark_offline_store.spark import (
    SparkOfflineStore,
    SparkOfflineStoreConfig,
    SparkRetrievalJob,
)
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake.spark import session
from feature_store import catalog
from feature_store.catalog import REQUEST_TIME
from feature_store.definitions import Derived, Feature, FeatureService
from feature_store.offline.spine import quoted
from feature_store.offline.training import EVENT_TIMESTAMP, SpineError, training_frame
from tidemill.config.settings import Settings


class SilverOfflineStoreConfig(SparkOfflineStoreConfig):  # type: ignore[misc]
    """What Feast's configuration says of this store: where silver lies."""

    type: str = "feature_store.feast.offline_store.SilverOfflineStore"
    settings: Settings


class SilverOfflineStore(SparkOfflineStore):  # type: ignore[misc]
    @staticmethod
    def get_historical_features(  # noqa: PLR0913, PLR0917 - Feast's signature
        config: Any,
        feature_views: Sequence[Any],
        feature_refs: Sequence[str],
        entity_df: pd.DataFrame | DataFrame | str | None,
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        **_: Any,
    ) -> SparkRetrievalJob:
        """The rows of ``entity_df`` with the features asked for, each as of its ``event_timestamp``.

        Raises:
            SpineError: no rows are given, something else than a service's features is asked for, two services call
                different features by one name, or a row's ``request_time`` is not its ``event_timestamp``.
        """
        settings = config.offline_store.settings
        spark = session("feast", settings)
        merged = _merged(feature_refs)
        asked = _together(merged)
        spine = _timed(_spine(spark, entity_df))
        features = [F.col(name).alias(f"{view}__{name}" if full_feature_names else name) for view, name in merged]
        rows = training_frame(spine, asked, settings).select(*map(quoted, spine.columns), *features)
        view = offline_utils.get_temp_entity_table_name()
        rows.createOrReplaceTempView(view)
        return SparkRetrievalJob(spark, f"SELECT * FROM {view}", full_feature_names, config, on_demand_feature_views=[])  # noqa: S608


def _merged(feature_refs: Sequence[str]) -> list[tuple[str, str]]:
    """View and name of each feature asked for; Feast names the states that these are made of beside them."""
    views = [(view, name) for view, _, name in (ref.partition(":") for ref in feature_refs)]
    merged = [(view, name) for view, name in views if view.endswith(catalog.MERGED)]
    if not merged:
        asked, known = ", ".join(dict(views)), ", ".join(catalog.services())
        raise SpineError(f"{asked}: a packed state has no history; ask for a feature service ({known})")
    return merged


def _together(merged: Sequence[tuple[str, str]]) -> FeatureService:
    """The features of all services asked for as one service, so that what they share is computed once."""
    features: dict[str, Feature | Derived] = {}
    for view, name in merged:
        service = catalog.service(view.removesuffix(catalog.MERGED))
        feature = next(feature for feature in service.features if feature.name == name)
        if features.setdefault(name, feature) != feature:
            raise SpineError(f"{view}: another service calls another feature {name}: ask each by itself")
    return FeatureService("asked", tuple(features.values()))


def _spine(spark: SparkSession, entity_df: pd.DataFrame | DataFrame | str | None) -> DataFrame:
    if entity_df is None:
        raise SpineError(
            "without entity_df nobody is asked for: feature_store.offline.training.snapshot asks for everybody"
        )
    if isinstance(entity_df, str):
        return spark.sql(entity_df)
    return spark.createDataFrame(entity_df) if isinstance(entity_df, pd.DataFrame) else entity_df


def _timed(spine: DataFrame) -> DataFrame:
    """Without the request's time, which Feast wants beside the row's: they are one."""
    if REQUEST_TIME not in spine.columns:
        return spine
    other = F.raise_error(F.lit(f"a row's {REQUEST_TIME} (microseconds since 1970) is not its {EVENT_TIMESTAMP}"))
    same = F.unix_micros(EVENT_TIMESTAMP) == F.col(REQUEST_TIME)
    return spine.withColumn(
        EVENT_TIMESTAMP, F.when(same, F.col(EVENT_TIMESTAMP)).otherwise(other.cast("timestamp"))
    ).drop(REQUEST_TIME)

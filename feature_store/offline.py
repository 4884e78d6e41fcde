"""Feature values as they were at given moments, for training: Feast's point-in-time join, run by Spark."""

from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from config.errors import TerminalError
from config.settings import Settings
from feature_store import repository
from feature_store.views import service

EVENT_TIMESTAMP = "event_timestamp"
REGEX_NAMES = "spark.sql.parser.quotedRegexColumnNames"


class SpineError(TerminalError):
    """A spine that cannot be joined; the message names the column."""


def training_frame(spark: SparkSession, settings: Settings, spine: DataFrame, service_name: str = "churn") -> DataFrame:
    """``spine`` with the features of a service as they were at each row's ``event_timestamp``.

    ``spine`` has ``customer_id`` STRING and ``event_timestamp`` TIMESTAMP; further columns stay. Each row gets the
    newest features whose time is not after its own and not older than the view's ttl; null where there are none.

    Raises:
        SpineError: a column is missing, stands for a feature, or the spine is empty.
    """
    wanted = service(service_name)
    _check_spine(spine, wanted.view.join_key, wanted.features)
    repository.apply(settings)
    store = repository.store(settings)
    # A zone-less time (the session's zone is UTC) is read by Feast as it stands, whatever zone this process is in.
    entities = spine.withColumn(EVENT_TIMESTAMP, F.col(EVENT_TIMESTAMP).cast("timestamp_ntz"))
    with _parser_settings_kept(spark):
        job = store.get_historical_features(entity_df=entities, features=store.get_feature_service(wanted.name))
        joined: DataFrame = job.to_spark_df()
    stamped = joined.withColumn(EVENT_TIMESTAMP, F.col(EVENT_TIMESTAMP).cast("timestamp"))
    return stamped.select(*spine.columns, *wanted.features)


def _check_spine(spine: DataFrame, join_key: str, features: tuple[str, ...]) -> None:
    missing = {join_key, EVENT_TIMESTAMP} - set(spine.columns)
    clash = set(features) & set(spine.columns)
    if missing or clash:
        problem = f"lacks {', '.join(sorted(missing))}" if missing else f"already has {', '.join(sorted(clash))}"
        raise SpineError(f"the spine {problem}; it has {', '.join(spine.columns)}")
    if spine.isEmpty():
        raise SpineError("the spine has no row: no customer at any moment was asked for")


@contextmanager
def _parser_settings_kept(spark: SparkSession) -> Iterator[None]:
    """Feast makes back-quoted column names regular expressions for the whole session: put that back."""
    before = spark.conf.get(REGEX_NAMES, "false")
    try:
        yield
    finally:
        spark.conf.set(REGEX_NAMES, str(before))

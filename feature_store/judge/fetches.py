"""What the model server logged of the features it answered with, in DuckDB."""

from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from data_lake.delta_rs import open_table
from data_lake.log import file_system
from data_lake.tables import silver
from feature_store.definitions import FeatureService
from feature_store.judge.files import batches
from feature_store.judge.spelling import literal, name
from tidemill.config.settings import Settings

PREDICTIONS = "serving.prediction.v1"
READ = (
    "event_id",
    "feature_service",
    "feature_fingerprint",
    "features_at",
    "applied",
    "features",
    "entities",
    "inputs",
    "degraded",
)
SAID_SO = ("states_rebuilding", "state_lost", "clock_behind")
"""An answer with one of these reasons has no values, and claims none."""
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
MICROSECOND = timedelta(microseconds=1)
LOGGED_WITHIN = timedelta(days=1)


def load_fetches(
    connection: duckdb.DuckDBPyConnection, settings: Settings, service: FeatureService, begin: datetime, end: datetime
) -> int:
    """Make the table ``fetches`` of the answers from ``begin`` to before ``end`` (aware); how many there are.

    A row has ``event_id``, ``asked_at`` in microseconds, ``applied`` and ``features`` as logged, and the key of each
    entity and each input under its name.
    """
    predictions = silver(PREDICTIONS)
    delta, files = open_table(predictions, settings), file_system(predictions, settings)
    schema = pa.schema([field for field in pa.schema(delta.schema().to_arrow()) if field.name in READ])
    rows = _rows(service, (begin - EPOCH) // MICROSECOND, (end - EPOCH) // MICROSECOND)
    connection.register("batch", schema.empty_table())
    connection.execute(f"CREATE TABLE fetches AS {rows}")
    for path in _paths(delta, begin, end):
        for batch in batches(files, path, schema):
            connection.register("batch", batch)
            connection.execute(f"INSERT INTO fetches {rows}")
    connection.unregister("batch")
    return int(connection.execute("SELECT count(*) FROM fetches").fetchall()[0][0])


def _paths(delta: DeltaTable, begin: datetime, end: datetime) -> list[str]:
    """The files of the months of this time: an answer is logged at most ``LOGGED_WITHIN`` from its features' time."""
    first, last = (f"{at.astimezone(UTC):%Y-%m}" for at in (begin - LOGGED_WITHIN, end + LOGGED_WITHIN))
    added = pa.table(delta.get_add_actions(flatten=True)).select(["path", "partition.event_month"]).to_pylist()
    return [unquote(file["path"]) for file in added if first <= file["partition.event_month"] <= last]


def _rows(service: FeatureService, begin: int, end: int) -> str:
    columns = [f"entities[{literal(key)}] AS {name(key)}" for key in service.keys]
    columns += [f"CAST(inputs[{literal(given.name)}] AS DOUBLE) AS {name(given.name)}" for given in service.inputs]
    known = [f"map_contains(applied, {literal(group.name)})" for group in service.groups]
    return (
        f"SELECT event_id, epoch_us(features_at) AS asked_at, applied, features, {', '.join(columns)} FROM batch "
        f"WHERE feature_service = {literal(service.name)} AND feature_fingerprint = {literal(service.fingerprint)} "
        f"AND epoch_us(features_at) >= {begin} AND epoch_us(features_at) < {end} AND {' AND '.join(known)} "
        f"AND NOT list_has_any(degraded, [{', '.join(map(literal, SAID_SO))}])"
    )

"""The features of logged answers, as silver was at the version that each was made from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from feature_store.definitions import Feature, FeatureGroup, FeatureService
from feature_store.judge import aggregates, expressions
from feature_store.judge.estimates import feature_columns, high_name, low_name
from feature_store.judge.events import load_events
from feature_store.judge.spelling import literal, name
from tidemill.config.settings import Settings

MEMORY_LIMIT = "1GB"
VersionOf = Callable[[FeatureGroup], str]


@contextmanager
def workspace() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with bounded memory, on a temporary file that it spills to."""
    with TemporaryDirectory(prefix="tidemill-judge-") as folder:
        connection = duckdb.connect(str(Path(folder) / "judge.duckdb"))
        try:
            connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(aggregates.MACROS)
            connection.execute(expressions.MACROS)
            yield connection
        finally:
            connection.close()


def logged_version(group: FeatureGroup) -> str:
    """The version of silver that a fetch says its state had come to."""
    return f"applied[{literal(group.name)}]"


def judge(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    service: FeatureService,
    version_of: VersionOf = logged_version,
    into: str = "expected",
) -> None:
    """Make the table ``into``: each row of ``fetches`` with the service's features, and the bounds of each.

    ``version_of`` is SQL over a fetch: at which version of silver its features are wanted.

    Raises:
        CommitsGoneError: retention has removed what is needed.
    """
    for number, group in enumerate(service.groups):
        _load(connection, settings, group, version_of(group), f"{into}_{number}")
        group_features(connection, group, service.read_of(group), f"{into}_{number}")
    joins = "".join(f" JOIN {into}_{number} USING (event_id)" for number in range(len(service.groups)))
    connection.execute(f"CREATE TABLE {into} AS SELECT event_id, {_service_columns(service)} FROM fetches{joins}")


def group_features(
    connection: duckdb.DuckDBPyConnection, group: FeatureGroup, features: tuple[Feature, ...], prefix: str
) -> None:
    """Make the table ``prefix``: the features of each row of ``<prefix>_asked``, from the ``<prefix>_events``."""
    connection.execute(
        f"CREATE TABLE {prefix} AS SELECT event_id, {feature_columns(features)} FROM {prefix}_asked a "
        f"LEFT JOIN {prefix}_events e ON a.entity = e.entity AND e.added <= a.version AND a.version < e.removed "
        f"AND {aggregates.reach(group)} AND {aggregates.passes(group)} GROUP BY event_id, asked_at"
    )


def _load(
    connection: duckdb.DuckDBPyConnection, settings: Settings, group: FeatureGroup, version: str, prefix: str
) -> None:
    connection.execute(
        f"CREATE TABLE {prefix}_asked AS SELECT event_id, asked_at, {name(group.entity.key)} AS entity, "
        f"CAST({version} AS BIGINT) AS version FROM fetches"
    )
    load_events(connection, settings, group, f"{prefix}_asked", f"{prefix}_events")


def _service_columns(service: FeatureService) -> str:
    columns = [f"{expressions.value(feature)} AS {name(feature.name)}" for feature in service.features]
    for feature in service.features:
        low, high = expressions.bounds(feature)
        columns += [f"{low} AS {name(low_name(feature.name))}", f"{high} AS {name(high_name(feature.name))}"]
    return ",\n  ".join(columns)

"""Which logged predictions would have had other features, had silver always been as a correction left it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import duckdb

from data_lake import commits
from data_lake.log import CommitsGoneError
from data_lake.tables import table
from feature_store import catalog
from feature_store.consistency.corrections import Correction
from feature_store.definitions import FeatureGroup, FeatureService
from feature_store.judge.events import load_events
from feature_store.judge.fetches import load_fetches
from feature_store.judge.spelling import name
from feature_store.judge.values import VersionOf, judge, logged_version, workspace
from tidemill.config.settings import Settings

RELATIVE = 1e-9


@dataclass(frozen=True)
class Affected:
    """Of ``looked_at`` predictions of entities whose files the correction touched, ``different`` had other features."""

    looked_at: int
    different: int


def affected(settings: Settings, correction: Correction, reach: timedelta, most: int) -> Affected:
    """The predictions logged before ``correction``, at most ``reach`` before it and the ``most`` newest a service.

    Their features are computed as of their own times, from silver before and after the correction.

    Raises:
        CommitsGoneError: silver no longer has both versions.
    """
    group = catalog.groups().get(correction.feature_group)
    if group is None or group.fingerprint != correction.fingerprint:
        raise CommitsGoneError(f"{correction.feature_group} has another definition now")
    if commits.table_id(table(correction.source), settings) != correction.source_id:
        raise CommitsGoneError(f"{correction.source} was made again since: its versions are others")
    found = [_of_service(settings, service, group, correction, reach, most) for service in _services(group)]
    return Affected(sum(one.looked_at for one in found), sum(one.different for one in found))


def _services(group: FeatureGroup) -> Iterator[FeatureService]:
    return (service for service in catalog.services().values() if group in service.groups)


def _of_service(  # noqa: PLR0913, PLR0917 - whose predictions, and which
    settings: Settings,
    service: FeatureService,
    group: FeatureGroup,
    correction: Correction,
    reach: timedelta,
    most: int,
) -> Affected:
    with workspace() as connection:
        load_fetches(connection, settings, service, correction.corrected_at - reach, correction.corrected_at)
        _keep_touched(connection, settings, group, correction.version, most)
        for into, version in (("before", correction.version - 1), ("after", correction.version)):
            judge(connection, settings, service, _at(group, version), into)
        equal = " AND ".join(_is_equal(name(feature)) for feature in service.names)
        differing = f"SELECT count(*) FROM before JOIN after USING (event_id) WHERE NOT ({equal})"
        different = connection.execute(differing).fetchall()[0][0]
        looked_at = connection.execute("SELECT count(*) FROM fetches").fetchall()[0][0]
    return Affected(looked_at, different)


def _is_equal(feature: str) -> str:
    """But for the order in which numbers were added up."""
    before, after = f"before.{feature}", f"after.{feature}"
    near = f"abs({before} - {after}) <= {RELATIVE} * greatest(abs({after}), 1.0)"
    return f"({before} IS NOT DISTINCT FROM {after} OR coalesce({near}, FALSE))"


def _at(group: FeatureGroup, version: int) -> VersionOf:
    return lambda asked: str(version) if asked == group else logged_version(asked)


def _keep_touched(
    connection: duckdb.DuckDBPyConnection, settings: Settings, group: FeatureGroup, version: int, most: int
) -> None:
    """Leave the newest of the fetches from before ``version``, of entities in files that it added or removed."""
    connection.execute(f"DELETE FROM fetches WHERE {logged_version(group)} >= {version}")
    key = name(group.entity.key)
    connection.execute(
        f"CREATE TABLE touching_asked AS SELECT DISTINCT {key} AS entity, version "
        f"FROM fetches, (VALUES ({version - 1}), ({version})) versions(version)"
    )
    load_events(connection, settings, group, "touching_asked", "touching_events")
    connection.execute(
        f"DELETE FROM fetches WHERE {key} NOT IN "
        f"(SELECT entity FROM touching_events WHERE added = {version} OR removed = {version})"
    )
    connection.execute(
        "DELETE FROM fetches WHERE event_id NOT IN "
        f"(SELECT event_id FROM fetches ORDER BY asked_at DESC, event_id LIMIT {most})"
    )

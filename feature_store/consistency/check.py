"""Are the features that the model server answered with the ones that the lake has? Measured from its own log.

Each logged answer says which commit of silver its states had taken in. So the comparison is exact, lag or not: the
features are computed again from silver as it was at that version, as of the same microsecond, by
``feature_store.judge``, which shares nothing with what answered. How far a state was behind the lake at that moment is
another question, freshness, and has its own count.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
from deltalake import write_deltalake

from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.log import CommitsGoneError
from data_lake.tables import table
from feature_store.definitions import Derived, Feature, FeatureService
from feature_store.judge.estimates import high_name, low_name
from feature_store.judge.fetches import load_fetches
from feature_store.judge.spelling import literal, name
from feature_store.judge.values import judge, workspace
from tidemill.config.settings import Settings

__all__ = ["CommitsGoneError", "Consistency", "FeatureConsistency", "measure"]

RESULTS = "gold/feature_consistency"
KINDS = ("matched", "mismatched", "missing", "extra")
RELATIVE = 1e-9
WORST = 3
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FeatureConsistency:
    """How often the logged value of one feature was the recomputed one.

    ``missing``: nothing was logged where the lake has a value; ``extra``: the other way round. ``worst`` has up to
    three fetches that differ, the largest difference first.
    """

    feature: str
    matched: int
    mismatched: int
    missing: int
    extra: int
    worst: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class Consistency:
    """``fetches`` were compared; at ``behind`` of them the lake had events that the states had not, for ``lag_s``."""

    service: str
    fingerprint: str
    begin: datetime
    end: datetime
    fetches: int
    behind: int
    lag_s: Mapping[str, float]
    features: tuple[FeatureConsistency, ...]

    @property
    def rate(self) -> float:
        """The share of values that are not the recomputed ones."""
        wrong = sum(one.mismatched + one.missing + one.extra for one in self.features)
        return wrong / max(self.fetches * len(self.features), 1)


def measure(settings: Settings, service: FeatureService, begin: datetime, end: datetime) -> Consistency:
    """Compare the fetches of ``service`` from ``begin`` to before ``end`` (aware), and write a row a feature.

    Raises:
        CommitsGoneError: silver no longer has the versions that the fetches were made from.
    """
    with workspace() as connection:
        fetches = load_fetches(connection, settings, service, begin, end)
        if not fetches:
            return Consistency(service.name, service.fingerprint, begin, end, 0, 0, {}, ())
        try:
            judge(connection, settings, service)
        except CommitsGoneError as error:
            raise CommitsGoneError(
                f"silver no longer has all commits that the fetches from {begin} on were made from ({error}): compare "
                "a later period (--from), and run feature_consistency more often than the log is cleaned"
            ) from error
        compared = [_compared(connection, service, feature) for feature in service.features]
        features = tuple(feature for feature in compared if feature is not None)
        behind, lag = _behind(connection, service)
    found = Consistency(service.name, service.fingerprint, begin, end, fetches, behind, lag, features)
    _write(settings, found)
    return found


def _compared(
    connection: duckdb.DuckDBPyConnection, service: FeatureService, feature: Feature | Derived
) -> FeatureConsistency | None:
    """None where a model does not read the feature: it may read some of its service only."""
    keys = "".join(f", {name(key)}" for key in service.keys)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE compared AS SELECT event_id, asked_at{keys}, logged, expected, {KIND} AS kind "
        f"FROM (SELECT event_id, asked_at{keys}, features[{literal(feature.name)}] AS logged, "
        f"{name(feature.name)} AS expected, "
        f"{name(low_name(feature.name))} AS low, {name(high_name(feature.name))} AS high "
        f"FROM fetches JOIN expected USING (event_id) "
        f"WHERE map_contains(features, {literal(feature.name)}))"
    )
    counts = dict(connection.execute("SELECT kind, count(*) FROM compared GROUP BY kind").fetchall())
    if not counts:
        return None
    return FeatureConsistency(
        feature.name, **{kind: counts.get(kind, 0) for kind in KINDS}, worst=_worst(connection, keys)
    )


# Within what a state may have estimated, and float64's rounding of sums.
KIND = f"""CASE
  WHEN logged IS NULL AND expected IS NULL THEN 'matched'
  WHEN logged IS NULL THEN 'missing'
  WHEN expected IS NULL THEN 'extra'
  WHEN logged BETWEEN coalesce(low, expected) - {RELATIVE} * greatest(abs(expected), 1.0)
    AND coalesce(high, expected) + {RELATIVE} * greatest(abs(expected), 1.0) THEN 'matched'
  ELSE 'mismatched' END"""


def _worst(connection: duckdb.DuckDBPyConnection, keys: str) -> tuple[Mapping[str, object], ...]:
    """The few that differ most; a value on one side only comes first."""
    rows = connection.execute(
        f"SELECT event_id, asked_at{keys}, logged, expected, kind FROM compared WHERE kind <> 'matched' "
        f"ORDER BY abs(logged - expected) DESC NULLS FIRST, event_id LIMIT {WORST}"
    )
    names = [column[0] for column in rows.description or ()]
    examples = [dict(zip(names, row, strict=True)) for row in rows.fetchall()]
    return tuple(
        {
            "event_id": example.pop("event_id"),
            "event_timestamp": _moment(example.pop("asked_at")).isoformat(),
            **example,
        }
        for example in examples
    )


def _moment(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def _behind(connection: duckdb.DuckDBPyConnection, service: FeatureService) -> tuple[int, Mapping[str, float]]:
    """At how many fetches the lake had events that the states had not taken in, and since when, in seconds."""
    waiting = " UNION ALL ".join(
        f"SELECT event_id, asked_at, learnt FROM expected_{number}_asked JOIN expected_{number}_events e "
        f"USING (entity) WHERE is_news AND e.added > version AND learnt <= asked_at AND time < asked_at"
        for number in range(len(service.groups))
    )
    lags = f"SELECT event_id, (any_value(asked_at) - min(learnt)) / 1e6 AS lag FROM ({waiting}) GROUP BY event_id"
    query = f"SELECT count(*), quantile_disc(lag, 0.5), max(lag) FROM ({lags})"
    count, median, longest = connection.execute(query).fetchall()[0]
    return (count, {"median": round(float(median), 3), "max": round(float(longest), 3)}) if count else (0, {})


def _write(settings: Settings, found: Consistency) -> None:
    """Replace the rows of the same service and period."""
    target = table(RESULTS)
    create_table(target, settings)
    delta = open_table(target, settings)
    rows = [
        {
            "begin_date": found.begin.date(),
            "service": found.service,
            "fingerprint": found.fingerprint,
            "begin": found.begin,
            "end": found.end,
            "feature": feature.feature,
            "fetches": found.fetches,
            "behind": found.behind,
            **{kind: getattr(feature, kind) for kind in KINDS},
            "worst": json.dumps(feature.worst, default=str),
        }
        for feature in found.features
    ]
    schema = pa.schema(delta.schema().to_arrow())
    period = (
        f'service = {literal(found.service)} AND begin = {_timestamp(found.begin)} AND "end" = {_timestamp(found.end)}'
    )
    write_deltalake(delta, pa.Table.from_pylist(rows, schema=schema), mode="overwrite", predicate=period)


def _timestamp(at: datetime) -> str:
    return f"arrow_cast('{at.astimezone(UTC).isoformat()}', 'Timestamp(Microsecond, Some(\"UTC\"))')"

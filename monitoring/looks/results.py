"""What looks have found, in ``gold/drift``: verdicts and the state for the next look in one commit.

A look of a model names the version of the table that it has read the state from. Of two that have read the same, Delta
lets one commit, by the transaction of the model's name; the other reads again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from data_lake import arrow
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import table
from ml_modeling.registry import ModelIdentity
from monitoring.drift import Aspect, Finding, Looks, Outcome, Statistic, Verdict
from monitoring.looks.served import Counts, Window
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings

DRIFT = "gold/drift"
MICROSECOND = 1_000_000


class OvertakenError(TransientError):
    """Another look at the same model was committed since its state was read."""


@dataclass(frozen=True)
class Subject:
    """The model that is looked at."""

    use_case: str
    version: str
    identity: ModelIdentity

    def __str__(self) -> str:
        return f"version {self.version} of {self.use_case!r}, {self.identity}"


@dataclass(frozen=True)
class Verdicts:
    """What a look has found. ``looked_at`` is when it was recorded first."""

    look_id: str
    window: Window
    counts: Counts
    alpha: float
    verdicts: tuple[Verdict, ...]
    looked_at: datetime

    @property
    def drifted(self) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is Outcome.DRIFTED)


@dataclass(frozen=True)
class Record:
    """The looks at one model, as of a version of the table: the newest, and the one that was asked for, if any."""

    delta: DeltaTable
    subject: Subject
    newest: Verdicts | None
    same: Verdicts | None

    @property
    def looks(self) -> Looks:
        """The state that the next look goes on from."""
        if self.newest is None:
            return Looks()
        since = {verdict.finding.key: verdict.since for verdict in self.newest.drifted if verdict.since is not None}
        return Looks(self.newest.window.end, since)


def read_record(settings: Settings, subject: Subject, look_id: str) -> Record:
    """What is on record of a model; the table is made when it is not there."""
    create_table(table(DRIFT), settings)
    delta = open_table(table(DRIFT), settings)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("looks", arrow.source(delta))
        of_model = [subject.use_case, subject.identity.run_id, subject.identity.model_id]
        rows = connection.sql(QUERY, params=[*of_model, look_id]).to_arrow_table().to_pylist()
    by_look: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_look.setdefault(row["look_id"], []).append(row)
    looks = {name: _verdicts(found) for name, found in by_look.items()}
    newest = max(looks.values(), key=lambda look: look.window.end, default=None)
    return Record(delta, subject, newest, looks.get(look_id))


QUERY = """
    WITH own AS (SELECT * FROM looks WHERE use_case = ? AND run_id = ? AND model_id = ?)
    SELECT * FROM own WHERE look_id = ? OR "end" = (SELECT max("end") FROM own)
"""


def commit(record: Record, verdicts: Verdicts) -> None:
    """Appends a look to what is on record.

    Raises:
        OvertakenError: another look at this model came first.
    """
    schema = pa.schema(record.delta.schema().to_arrow())
    rows = [_row(record.subject, verdicts, verdict) for verdict in verdicts.verdicts]
    end = int(verdicts.window.end.timestamp() * MICROSECOND)
    transaction = Transaction(f"drift/{record.subject.identity.run_id}/{record.subject.identity.model_id}", end)
    properties = CommitProperties(app_transactions=[transaction])
    try:
        write_deltalake(
            record.delta, pa.Table.from_pylist(rows, schema=schema), mode="append", commit_properties=properties
        )
    except CommitFailedError as error:
        raise OvertakenError(f"{DRIFT}: another look at {record.subject} was committed just now: {error}") from error


def _row(subject: Subject, look: Verdicts, verdict: Verdict) -> Mapping[str, Any]:
    finding = verdict.finding
    leading = leading_statistic(finding)
    return {
        "use_case": subject.use_case,
        "run_id": subject.identity.run_id,
        "model_id": subject.identity.model_id,
        "model_version": subject.version,
        "look_id": look.look_id,
        "begin": look.window.begin,
        "end": look.window.end,
        "looked_at": look.looked_at,
        "finding": finding.key,
        "feature": finding.feature,
        "aspect": str(finding.aspect),
        "outcome": str(verdict.outcome),
        "is_drifted": verdict.outcome is Outcome.DRIFTED,
        "since": verdict.since,
        "statistic": leading.name if leading else None,
        "effect": leading.value if leading else None,
        "effect_limit": leading.limit if leading else None,
        "p_value": finding.p_value,
        "adjusted_p_value": verdict.adjusted_p_value,
        "alpha": verdict.alpha,
        "importance": verdict.importance,
        "unknown": finding.unknown,
        "statistics": [asdict(statistic) for statistic in finding.statistics],
        **asdict(look.counts),
    }


def leading_statistic(finding: Finding) -> Statistic | None:
    """The one that is the most times its limit."""
    return max(finding.statistics, key=_times_limit, default=None)


def _times_limit(statistic: Statistic) -> float:
    return statistic.value / statistic.limit if statistic.limit > 0 else math.inf


def _verdicts(rows: Sequence[Mapping[str, Any]]) -> Verdicts:
    """A look as it was recorded."""
    first = rows[0]
    counts = Counts(**{name: first[name] for name in Counts.__dataclass_fields__})
    window = Window(_utc(first["begin"]), _utc(first["end"]))
    verdicts = tuple(_verdict(row) for row in rows)
    return Verdicts(first["look_id"], window, counts, first["alpha"], verdicts, _utc(first["looked_at"]))


def _verdict(row: Mapping[str, Any]) -> Verdict:
    finding = Finding(
        row["feature"],
        Aspect(row["aspect"]),
        tuple(Statistic(**statistic) for statistic in row["statistics"]),
        row["p_value"],
        row["unknown"],
    )
    since = _utc(row["since"]) if row["since"] is not None else None
    return Verdict(finding, Outcome(row["outcome"]), row["alpha"], row["adjusted_p_value"], since, row["importance"])


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)

"""What a scoring is: known by what its rows follow from, so that it is done once and found again."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import duckdb

from batch_processing.scoring.window import Window
from data_lake import arrow, commits
from data_lake.delta_rs import open_table
from data_lake.table import Table
from data_lake.tables import table
from ml_modeling.questions.lake import NoDataError
from ml_modeling.registry import Registered
from tidemill.config.settings import Settings

SCORES = "gold/scores"


@dataclass(frozen=True)
class TableVersion:
    """A table, which is another one with another ``table_id``, at one version."""

    table_id: str
    version: int


@dataclass(frozen=True)
class Scoring:
    """Answers of ``model`` for the times of ``window``, from the features of ``fingerprint`` of ``sources``."""

    use_case: str
    window: Window
    model: Registered
    fingerprint: str
    sources: Mapping[str, TableVersion]

    @property
    def id(self) -> str:
        """SHA-256 of all that the rows follow from; a version number is no part of it, as it may be given again."""
        made_of = {
            "use_case": self.use_case,
            "window": [self.window.begin.isoformat(), self.window.end.isoformat()],
            "model": self.model.identity.key,
            "fingerprint": self.fingerprint,
            "sources": {name: asdict(source) for name, source in self.sources.items()},
        }
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    @property
    def versions(self) -> dict[str, int]:
        """The Delta versions by table name."""
        return {name: source.version for name, source in self.sources.items()}

    @property
    def where(self) -> str:
        """Spark's condition of its rows, and of those that it replaces: of the same times and the same model."""
        window, identity = self.window, self.model.identity
        return (
            f"use_case = {_text(self.use_case)} "
            f"AND scored_date >= DATE'{window.begin.date()}' AND scored_date <= DATE'{window.end.date()}' "
            f"AND scored_at >= TIMESTAMP'{window.begin:%F %T.%f}+00:00' "
            f"AND scored_at < TIMESTAMP'{window.end:%F %T.%f}+00:00' "
            f"AND model_run_id = {_text(identity.run_id)} AND model_id = {_text(identity.model_id)}"
        )


def sources_of(settings: Settings, names: Iterable[str]) -> dict[str, TableVersion]:
    """The tables called ``names`` as they are now.

    Raises:
        NoDataError: one is missing.
    """
    return {name: _now(settings, table(name)) for name in names}


def _now(settings: Settings, source: Table) -> TableVersion:
    if not commits.exists(source, settings):
        raise NoDataError(f"no table {source.name} at {source.path(settings)}: start the stream and feed events first")
    return TableVersion(commits.table_id(source, settings), commits.current_version(source, settings))


def rows_there(settings: Settings, scoring: Scoring) -> int | None:
    """How many rows the scoring has in the lake; None when it is not there, or rows of others are in its place."""
    scores = table(SCORES)
    if not commits.exists(scores, settings):
        return None
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("scores", arrow.source(open_table(scores, settings)))
        ours, there = connection.execute(THERE, _parameters(scoring)).fetchall()[0]
    return int(there) if there and ours == there else None


# The condition of Scoring.where, for DuckDB.
THERE = """
    SELECT count(*) FILTER (scoring_id = ?), count(*) FROM scores
    WHERE use_case = ? AND scored_date BETWEEN ? AND ? AND scored_at >= ? AND scored_at < ?
        AND model_run_id = ? AND model_id = ?
"""


def _parameters(scoring: Scoring) -> list[object]:
    window, identity = scoring.window, scoring.model.identity
    times = [window.begin.date(), window.end.date(), window.begin, window.end]
    return [scoring.id, scoring.use_case, *times, identity.run_id, identity.model_id]


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

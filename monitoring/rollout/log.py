"""What the prediction log says of a step: counts by arm, of the very models and epochs that are meant."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import silver
from ml_modeling.registry.unscored import UNSCORED
from monitoring.control import ModelRef
from monitoring.rollout.figures import ChallengerFigures, Spread
from monitoring.rollout.scores import Expected
from tidemill.config.settings import Settings

PREDICTIONS = "serving.prediction.v1"
CLOCKS = timedelta(days=1)
"""How far the clocks of the store and of the servers may be apart: the epoch says which answers count."""
OPTIONAL = {"arm": "VARCHAR", "epoch": "BIGINT", "ms": "DOUBLE", "challenger_failed": "BOOLEAN"}
"""A log of before there were rollouts has none of these."""
CHAMPION, CHALLENGER = "is_champion", "is_challenger"


@dataclass(frozen=True)
class Window:
    """The answers of a use case under these epochs of its traffic, from ``since`` on; whose they are."""

    use_case: str
    epochs: Sequence[int]
    since: datetime
    champion: ModelRef | None
    challenger: ModelRef


class StepLog:
    """Counts over a window. Each is one pass over the files that may hold it, and keeps no row."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, answers: str, values: Mapping[str, Any]) -> None:
        self._connection = connection
        self._answers = answers
        self._values = values

    def champion(self) -> tuple[int, float | None]:
        """How many answers the champion gave of its own, and the 95th percentile of their milliseconds, about.

        Those it gave in the place of the challenger had waited for that one first.
        """
        counted = "SELECT count(*), approx_quantile(ms, 0.95) FROM answers WHERE NOT failed AND"
        ((count, p95),) = self._rows(f"{counted} {CHAMPION}")
        return int(count), None if p95 is None else float(p95)

    def challenger(self, slow_ms: float | None) -> ChallengerFigures:
        """What the challenger did; answers above ``slow_ms`` are slow."""
        ((answers, failed, timed, slow, p95),) = self._rows(COUNTED, slow_ms=slow_ms)
        p95_ms = None if p95 is None else float(p95)
        return ChallengerFigures(int(answers), int(failed), int(timed), int(slow), slow_ms, p95_ms)

    def spread(self, arm: str, cells: Expected | None) -> Spread:
        """The scored answers of an arm (``CHAMPION`` or ``CHALLENGER``) in the cells; without cells none.

        Decisions of which the replay had none are a cell of their own, the last, when there are any.
        As many independent ones tell at least as much: Kish (1965), for answers about one entity that are all alike.
        """
        if cells is None:
            return Spread()
        values: Mapping[str, Any]
        if cells.classes:
            position = "coalesce(nullif(list_position($classes, decision), 0), len($classes) + 1) - 1"
            cell, values = f"CASE WHEN decision IS NOT NULL THEN {position} END", {"classes": list(cells.classes)}
        else:
            cell = "CASE WHEN said IS NOT NULL THEN len(list_filter($edges, lambda edge: said >= edge)) END"
            values = {"edges": list(cells.edges)}
        rows = self._rows(SPREAD.format(cell=cell, arm=arm), **values)
        counted = {number: int(answers) for number, answers, _ in rows}
        independent = float(rows[0][2]) if rows else 0.0
        seen_before = cells.rows if len(cells.rows) not in counted else (*cells.rows, 0.0)
        return Spread(seen_before, [counted.get(number, 0) for number in range(len(seen_before))], independent)

    def _rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._connection.execute(
            f"{self._answers} {query}", {**self._values, **values}
        ).fetchall()
        return rows


SPREAD = """
    , told AS MATERIALIZED (
        FROM (SELECT {cell} AS cell, entity_id FROM answers WHERE {arm} AND NOT failed AND NOT is_unscored)
        WHERE cell IS NOT NULL
    ),
    of_entities AS (SELECT count(*) AS answers FROM told GROUP BY entity_id)
    SELECT cell, count(*), (SELECT sum(answers) ** 2 / sum(answers ** 2) FROM of_entities) FROM told GROUP BY cell
"""
COUNTED = f"""
    SELECT
        count(*) FILTER ({CHALLENGER} AND NOT failed),
        count(*) FILTER (failed),
        count(ms) FILTER ({CHALLENGER}),
        count(*) FILTER ({CHALLENGER} AND ms > $slow_ms),
        approx_quantile(ms, 0.95) FILTER ({CHALLENGER})
    FROM answers
"""  # noqa: S608 - constants of this project
ANSWERS = f"""
    WITH answers AS (
        SELECT
            coalesce(arm, 'champion') = 'champion' AND coalesce(model_run_id, '') = $champion_run
                AND coalesce(model_id, '') = $champion_model AS {CHAMPION},
            arm IN ('challenger', 'shadow') AND coalesce(model_run_id, '') = $challenger_run
                AND coalesce(model_id, '') = $challenger_model AS {CHALLENGER},
            coalesce(challenger_failed, false) AS failed,
            list_has_any(degraded, {list(UNSCORED)!r}) AS is_unscored,
            ms, decision, coalesce(score, value) AS said, entity_id
        FROM (SELECT * {{missing}} FROM log)
        WHERE use_case = $use_case AND event_month >= $month AND event_time >= $since AND epoch IN $epochs
    )
"""  # noqa: S608 - constants of this project


@contextmanager
def step_log(settings: Settings, window: Window) -> Iterator[StepLog | None]:
    """The answers of a window; None where nothing was logged yet."""
    try:
        delta = open_table(silver(PREDICTIONS), settings)
    except MissingTableError:
        yield None
        return
    there = set(delta.schema().to_arrow().names)
    missing = "".join(f", NULL::{kind} AS {name}" for name, kind in OPTIONAL.items() if name not in there)
    since = window.since - CLOCKS
    values = {
        "use_case": window.use_case,
        "month": f"{since:%Y-%m}",
        "since": since,
        "epochs": list(window.epochs),
        "champion_run": window.champion.run_id if window.champion else "",
        "champion_model": window.champion.model_id if window.champion else "",
        "challenger_run": window.challenger.run_id,
        "challenger_model": window.challenger.model_id,
    }
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("log", arrow.source(delta))
        yield StepLog(connection, ANSWERS.format(missing=missing), values)

"""The contest of champion and challenger, from the outcomes that came true of their answers.

Losses come in the order of the predictions, once all verdicts of a time have come: frauds are told within days, and
that all was well after weeks, so in the order of becoming known a challenger that is better at frauds alone would be
promoted by them.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import duckdb
import numpy as np

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import UnknownTableError, table
from feature_store.definitions import Task
from ml_modeling.use_case import UseCase
from monitoring.performance.outcome_losses import KNOWN_UNTIL, LOSSES, OUTCOMES, parameters
from monitoring.rollout.contest import Contest, Floats, contest
from monitoring.rollout.log import CLOCKS, Window
from tidemill.config.settings import Settings

ROWS = 50_000


def outcomes(
    settings: Settings, use_case: UseCase, window: Window, delay: timedelta, largest: float | None
) -> Contest | None:
    """What came true of the answers from the window's time up to ``delay``, as long as labels take, before the newest.

    ``largest`` is the error that is the loss 1, of a question that wants a number. None where no outcome is known, or
    nothing says how large an error is.
    """
    try:
        delta = open_table(table(OUTCOMES), settings)
    except (UnknownTableError, MissingTableError):
        return None
    task = use_case.task.name
    if window.champion is None or (task is Task.REGRESSION and not largest):
        return None
    since = window.since - CLOCKS
    values: dict[str, Any] = {
        "use_case": window.use_case,
        "month": f"{since:%Y-%m}",
        "since": since,
        "began": window.since,
        "champion_run": window.champion.run_id,
        "champion_model": window.champion.model_id,
        "challenger_run": window.challenger.run_id,
        "challenger_model": window.challenger.model_id,
        **parameters(use_case, largest),
    }
    pairs = PAIRS.format(loss=LOSSES[task])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("outcomes", arrow.source(delta))
        ((newest,),) = connection.execute(KNOWN_UNTIL, {"use_case": window.use_case}).fetchall()
        if newest is None:
            return None
        values["until"] = newest - delay
        counted = f"{pairs} SELECT count(*) FILTER (NOT is_challenger), count(*) FILTER (is_challenger) FROM firsts"  # noqa: S608
        champion, challenger = connection.execute(counted, values).fetchall()[0]
        reader = connection.sql(f"{pairs} {DIFFERENCES}", params=values).to_arrow_reader(ROWS)
        return contest(_differences(reader), int(champion), int(challenger))


def _differences(reader: Any) -> Iterator[Floats]:
    for batch in reader:
        yield np.asarray(batch["difference"].to_numpy(zero_copy_only=False), dtype=np.float64)


PAIRS = """
    WITH known AS (
        SELECT
            asked_at, source, event_id, coalesce(entity, event_id) AS entity,
            arm <> 'champion' AS is_challenger, {loss} AS loss
        FROM outcomes
        WHERE use_case = $use_case AND event_month >= $month AND event_time >= $since AND asked_at >= $began
            AND asked_at < $until
            AND label IS NOT NULL AND is_scored AND (
                arm = 'champion' AND coalesce(model_run_id, '') = $champion_run
                    AND coalesce(model_id, '') = $champion_model
                OR arm IN ('challenger', 'shadow') AND coalesce(model_run_id, '') = $challenger_run
                    AND coalesce(model_id, '') = $challenger_model)
    ), firsts AS (
        SELECT * FROM known WHERE loss IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY is_challenger, entity ORDER BY asked_at, source, event_id) = 1
    )
"""
"""Of each entity and arm the first outcome: those of one entity hang together."""
DIFFERENCES = """
    , turns AS (
        SELECT *, lag(is_challenger) OVER (ORDER BY asked_at, source, event_id) AS before FROM firsts
    ), paired AS (
        SELECT is_challenger, loss, sum((NOT is_challenger AND coalesce(before, true))::INT)
            OVER (ORDER BY asked_at, source, event_id ROWS UNBOUNDED PRECEDING) AS pair
        FROM turns
    ), pairs AS (
        SELECT pair, avg(loss) FILTER (is_challenger) - avg(loss) FILTER (NOT is_challenger) AS difference
        FROM paired GROUP BY pair
    )
    SELECT difference::DOUBLE AS difference FROM pairs
    WHERE difference IS NOT NULL AND pair < (SELECT max(pair) FROM paired) ORDER BY pair
"""
"""The last pair may still grow, and is left out."""

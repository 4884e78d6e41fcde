"""The losses of what a model answered, in the order of its predictions, up to when nearly all outcomes have come."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from data_lake import arrow
from data_lake.delta_rs import MissingTableError, open_table
from data_lake.tables import UnknownTableError, table
from feature_store.definitions import Absence, FutureAggregate
from ml_modeling.registry import ModelIdentity
from ml_modeling.registry.unscored import STALE
from ml_modeling.use_case import UseCase
from monitoring.performance.apart import AT, EVER, UNIT, apart
from monitoring.performance.blocks import Blocks, blocks
from monitoring.performance.losses import Floats, Integers
from monitoring.performance.outcome_losses import KNOWN_UNTIL, LOSSES, OUTCOMES, parameters
from tidemill.config.settings import Settings

ROWS = 50_000
MEMORY = "512MB"
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class ServedLosses:
    """The losses of what was asked before ``until``, in blocks, from one version of the table."""

    blocks: Blocks
    until: datetime
    table_version: int


def served_losses(
    settings: Settings, use_case: UseCase, model: ModelIdentity, delay: timedelta, largest: float | None
) -> ServedLosses | None:
    """What came true of the answers of ``model``; None where no outcome of the use case is known at all.

    The lake tells what came true up to the newest outcome that it has: who asks later, while the outcomes are not
    joined or no verdict arrives, is told the same. ``delay`` is within which nearly all outcomes come; what is younger
    than that is left out, for what is known early depends on what it says. ``largest`` is the error that is the loss 1.

    An answer counts whichever arm the model had then: what it says does not depend on who hears it. Answers for a cold
    start are not the model's, and those from stale features are an outage's.
    """
    try:
        delta = open_table(table(OUTCOMES), settings)
    except (UnknownTableError, MissingTableError):
        return None
    rows = arrow.source(delta)
    with tempfile.TemporaryDirectory(prefix="tidemill-standing-") as folder, ExitStack() as opened:
        reading, ordering = (opened.enter_context(_connected(Path(folder) / name)) for name in ("read", "order"))
        reading.register("outcomes", rows)
        ((known_until,),) = reading.execute(KNOWN_UNTIL, {"use_case": use_case.name}).fetchall()
        if known_until is None:
            return None
        until = known_until - delay
        values = {
            "use_case": use_case.name,
            "run_id": model.run_id,
            "model_id": model.model_id,
            "until": until,
            "stale": STALE,
            **parameters(use_case, largest),
        }
        by_unit = ANSWERS.format(loss=LOSSES[use_case.task.name], unit=_unit(use_case))
        reader = reading.sql(by_unit, params=values).to_arrow_reader(ROWS)
        kept = apart(reader, _horizon(use_case))
        ordering.register("kept", pa.RecordBatchReader.from_batches(reader.schema, kept))
        return ServedLosses(blocks(_losses(ordering.sql(IN_ORDER).to_arrow_reader(ROWS))), until, delta.version())


def _connected(spill: Path) -> duckdb.DuckDBPyConnection:
    """DuckDB in a bounded memory; what does not fit is sorted in the folder ``spill``."""
    connection = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": str(spill)})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def _unit(use_case: UseCase) -> str:
    return "entity" if isinstance(use_case.question, Absence | FutureAggregate) else "event_key"


def _horizon(use_case: UseCase) -> int:
    """How far what counts of a unit lies apart, in microseconds; an event counts once."""
    question = use_case.question
    return question.horizon // MICROSECOND if isinstance(question, Absence | FutureAggregate) else EVER


def _losses(reader: Any) -> Iterator[tuple[Integers, Floats]]:
    for batch in reader:
        at, loss = (batch[name].to_numpy(zero_copy_only=False) for name in (AT, "loss"))
        yield at.astype(np.int64), loss.astype(np.float64)


ANSWERS = f"""
    WITH known AS (
        SELECT
            coalesce({{unit}}, event_id) AS {UNIT}, epoch_us(asked_at) AS {AT}, source, event_id, {{loss}} AS loss
        FROM outcomes
        WHERE use_case = $use_case AND model_run_id = $run_id AND model_id = $model_id AND asked_at < $until
            AND label IS NOT NULL AND is_scored AND NOT coalesce(list_contains(degraded, $stale), false)
    )
    SELECT * FROM known WHERE isfinite(loss) ORDER BY {UNIT}, {AT}, source, event_id
"""  # noqa: S608 - constants of this project
IN_ORDER = f"SELECT {AT}, loss FROM kept ORDER BY {AT}, source, event_id"  # noqa: S608 - constants of this project

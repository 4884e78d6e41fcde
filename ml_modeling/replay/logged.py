"""Logged answers of a use case, in batches of arrays: what was asked of the model, and what it said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from data_lake import arrow
from data_lake.delta_rs import open_table
from data_lake.tables import silver
from ml_modeling.registry import ModelIdentity
from ml_modeling.registry.scorer import Floats
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec
from ml_modeling.registry.unscored import STALE, UNSCORED
from tidemill.config.settings import Settings

PREDICTIONS = "serving.prediction.v1"
SHADOW = "shadow"
"""The arm whose rows were scored for the log alone."""
ROWS = 20_000
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LoggedAnswers:
    """Answers of one use case, a row each.

    ``matrix`` (n, features) is ordered like the features of the model that is to answer again; ``is_whole`` is false
    where the log lacks one of them or knows them with another meaning. ``answers`` (n, outputs) are the score, the
    value, or the probability of each class, nan where the log has none. ``is_scored`` is false of an answer for a cold
    start, ``is_own`` true where that very model gave it, ``is_stale`` where its features were older than they may be.
    """

    request_ids: list[str]
    entity_ids: list[str]
    matrix: Floats
    answers: Floats
    decisions: npt.NDArray[np.object_]
    is_scored: Flags
    is_whole: Flags
    is_own: Flags
    is_stale: Flags

    def __len__(self) -> int:
        return len(self.request_ids)

    def where(self, rows: Flags) -> "LoggedAnswers":
        """Those of ``rows``."""
        places = np.flatnonzero(rows).tolist()
        return LoggedAnswers(
            [self.request_ids[place] for place in places],
            [self.entity_ids[place] for place in places],
            self.matrix[rows],
            self.answers[rows],
            self.decisions[rows],
            self.is_scored[rows],
            self.is_whole[rows],
            self.is_own[rows],
            self.is_stale[rows],
        )


def logged_answers(  # noqa: PLR0913 - which answers, and of whom
    settings: Settings,
    spec: Serving,
    identity: ModelIdentity,
    begin: datetime,
    end: datetime,
    *,
    by_entity: bool = False,
) -> Iterator[LoggedAnswers]:
    """The answers to requests from ``begin`` to before ``end`` (aware), some thousands at a time.

    What a shadow said of a request was no answer to it, and is left out. ``by_entity`` has those about one entity one
    after another, in the order of their times.

    Raises:
        MissingTableError: nothing was logged yet.
    """
    delta = open_table(silver(PREDICTIONS), settings)
    query = f"{QUERY} AND {answered_only(delta)}{' ORDER BY entity_id, event_time, request_id' if by_entity else ''}"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("log", arrow.source(delta))
        for batch in connection.sql(query, params=[spec.use_case, begin, end]).to_arrow_reader(ROWS):
            if len(batch):
                yield _answers(batch, spec, identity)


def answered_only(log: DeltaTable) -> str:
    """A condition on the log: its rows that were sent to somebody; a log of before there were shadows has no others."""
    columns = {field.name for field in log.schema().fields}
    return f"arm IS DISTINCT FROM '{SHADOW}'" if "arm" in columns else "true"


QUERY = f"""
    SELECT
        request_id, entity_id, decision, feature_fingerprint, model_run_id, model_id, score, value,
        map_keys(scores) AS classes, map_values(scores) AS scores,
        map_keys(features) AS names, map_values(features) AS features,
        list_has_any(degraded, {list(UNSCORED)!r}) AS is_unscored,
        list_contains(degraded, '{STALE}') AS is_stale
    FROM log
    WHERE use_case = ? AND event_time >= ? AND event_time < ?
"""  # noqa: S608 - a constant of this project


def _answers(batch: pa.RecordBatch, spec: Serving, identity: ModelIdentity) -> LoggedAnswers:
    matrix, are_there = by_name(batch["names"], batch["features"], spec.features)
    return LoggedAnswers(
        request_ids=batch["request_id"].to_pylist(),
        entity_ids=batch["entity_id"].to_pylist(),
        matrix=matrix,
        answers=_outputs(batch, spec),
        decisions=batch["decision"].to_numpy(zero_copy_only=False),
        is_scored=~_flags(batch["is_unscored"]),
        is_whole=are_there & _flags(pc.equal(batch["feature_fingerprint"], spec.feature_fingerprint)),
        is_own=_flags(
            pc.and_(
                pc.equal(batch["model_run_id"], identity.run_id),
                pc.equal(batch["model_id"], identity.model_id),
            )
        ),
        is_stale=_flags(batch["is_stale"]),
    )


def _flags(values: Any) -> Flags:
    """Null is false: the log of before a column was there says nothing in it."""
    flags: Flags = pc.fill_null(values, False).to_numpy(zero_copy_only=False).astype(bool)
    return flags


def _outputs(batch: pa.RecordBatch, spec: Serving) -> Floats:
    match spec:
        case ServingSpec():
            return _column(batch["score"])
        case RegressionServing():
            return _column(batch["value"])
        case MulticlassServing():
            return by_name(batch["classes"], batch["scores"], spec.classes)[0]


def _column(values: Any) -> Floats:
    column: Floats = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False).reshape(-1, 1)
    return column


def by_name(names: Any, values: Any, wanted: Sequence[str]) -> tuple[Floats, Flags]:
    """A column (n, wanted) of each name, nan where a row has null or not that name; and which rows have every name.

    ``names`` and ``values`` are lists of equal lengths, a row each: the two sides of a map.
    """
    rows = np.repeat(np.arange(len(names)), pc.fill_null(pc.list_value_length(names), 0).to_numpy(zero_copy_only=False))
    places = pc.index_in(names.flatten(), value_set=pa.array(wanted, pa.string()))
    is_wanted = places.is_valid().to_numpy(zero_copy_only=False)
    columns = places.filter(places.is_valid()).to_numpy(zero_copy_only=False)
    found = np.full((len(names), len(wanted)), np.nan)
    flat = pc.cast(values.flatten(), pa.float64()).to_numpy(zero_copy_only=False)
    found[rows[is_wanted], columns] = flat[is_wanted]
    present = np.bincount(rows[is_wanted], minlength=len(names))
    return found, present == len(wanted)

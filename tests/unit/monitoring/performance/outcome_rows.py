"""Rows of `gold/prediction_outcomes` by hand, and a naive reading of them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from ml_modeling.registry import ModelIdentity
from tidemill.config import Settings

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CHAMPION = ModelIdentity(run_id="run-1", model_id="m-1", digest="c0ffee")
HORIZON = timedelta(days=90)
SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("event_month", pa.string()),
        ("use_case", pa.string()),
        ("model_run_id", pa.string()),
        ("model_id", pa.string()),
        ("model_version", pa.string()),
        ("arm", pa.string()),
        ("entity", pa.string()),
        ("asked_at", pa.timestamp("us", "UTC")),
        ("is_scored", pa.bool_()),
        ("degraded", pa.list_(pa.string())),
        ("score", pa.float64()),
        ("value", pa.float64()),
        ("scores", pa.map_(pa.string(), pa.float64())),
        ("state", pa.string()),
        ("due_at", pa.timestamp("us", "UTC")),
        ("event_key", pa.string()),
        ("label", pa.float64()),
    ]
)
"""The columns that are read."""


def row(use_case: str, number: int, **changed: Any) -> dict[str, Any]:
    """One answer of the champion whose outcome is known; its order is its number."""
    at = changed.get("asked_at", BEGAN + number * MINUTE)
    return {
        "source": "test",
        "event_id": f"e{number:06}",
        "event_month": f"{at:%Y-%m}",
        "use_case": use_case,
        "model_run_id": CHAMPION.run_id,
        "model_id": CHAMPION.model_id,
        "model_version": "1",
        "arm": "champion",
        "entity": f"c{number}",
        "asked_at": at,
        "is_scored": True,
        "degraded": [],
        "state": "known",
        "due_at": at + HORIZON,
        "event_key": None,
        "label": 1.0,
        **changed,
    }


def late(use_case: str, days: float) -> dict[str, Any]:
    """What another model answered: its outcome tells that all are known up to so many days after the first answer."""
    known = BEGAN + timedelta(days=days)
    return row(use_case, 999_999, model_run_id="another", asked_at=BEGAN, due_at=known, score=0.5)


def write(settings: Settings, rows: Sequence[dict[str, Any]]) -> None:
    place = str(settings.table_path("gold/prediction_outcomes"))
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    write_deltalake(place, table, partition_by=["event_month"], mode="overwrite")


def naive_apart(rows: Sequence[dict[str, Any]], unit: str, horizon: timedelta | None) -> list[dict[str, Any]]:
    """Row by row in the order of the predictions; without a horizon a unit counts once."""
    newest: dict[str, datetime] = {}
    kept = []
    for answer in sorted(rows, key=lambda answer: (answer["asked_at"], answer["source"], answer["event_id"])):
        before = newest.get(answer[unit])
        if before is None or (horizon is not None and answer["asked_at"] - before >= horizon):
            newest[answer[unit]] = answer["asked_at"]
            kept.append(answer)
    return kept

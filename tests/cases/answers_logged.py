"""Logged answers of any task, as rows of silver."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.cases.silver_rows import row


def logged(use_case: str, event_id: str, at: datetime, entities: Mapping[str, str], **answer: Any) -> dict[str, Any]:
    """What ``use_case`` answered about ``entities`` at ``at``, by column; it is logged under the first of them."""
    data = {
        "request_id": f"r-{event_id}",
        "use_case": use_case,
        "entity_id": next(iter(entities.values())),
        "decision": "none",
        "model_name": use_case,
        "model_version": "1",
        "model_alias": "champion",
        "model_run_id": "run-1",
        "model_id": "m-1",
        "features_at": at,
        "feature_service": use_case,
        "feature_fingerprint": "f",
        "entities": [*entities.items()],
        "inputs": [],
        "applied": [],
        "features": [],
        "degraded": [],
    }
    return row(event_id, at, **{**data, **answer})

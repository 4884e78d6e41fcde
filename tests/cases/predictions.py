"""Logged predictions for tests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from feature_store.definitions import FeatureService


def silver_prediction(  # noqa: PLR0917 - what, of whom, and as of when
    event_id: str,
    service: FeatureService,
    entity: tuple[str, str],
    asked_at: datetime,
    version: int,
    features: Mapping[str, float | None],
) -> dict[str, Any]:
    """An answer with ``features`` as a row of silver, by column; its states had come to ``version`` of their source."""
    return {
        "event_id": event_id,
        "event_time": asked_at,
        "event_date": asked_at.date(),
        "source": "test",
        "request_id": "r",
        "use_case": service.name,
        "entity_id": entity[1],
        "score": 0.1,
        "decision": "stays",
        "model_name": service.name,
        "model_version": "1",
        "model_alias": "champion",
        "features_at": asked_at,
        "feature_service": service.name,
        "feature_fingerprint": service.fingerprint,
        "entities": [entity],
        "inputs": [],
        "applied": [(group.name, version) for group in service.groups],
        "features": [*features.items()],
        "degraded": [],
        "_generation": 1,
        "_partition": 0,
        "_offset": 0,
        "_digest": 0,
        "broker_time": asked_at,
        "ingested_at": asked_at,
        "event_month": f"{asked_at:%Y-%m}",
    }

"""Logged predictions of any task, as rows of silver, for what is joined to them later."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.cases.silver_rows import row


def logged(
    event_id: str,
    use_case: str,
    at: datetime,
    entities: Mapping[str, str],
    said: Mapping[str, Any],
    *,
    inputs: Mapping[str, float] | None = None,
    run_id: str = "r1",
    request_id: str = "",
    degraded: tuple[str, ...] = (),
) -> dict[str, Any]:
    """An answer at ``at`` (aware), by column; ``said`` are its score, value, scores and decision."""
    return row(
        event_id,
        at,
        request_id=request_id or f"request-{event_id}",
        use_case=use_case,
        entity_id=next(iter(entities.values())),
        score=None,
        value=None,
        scores=None,
        interval=None,
        model_name=use_case,
        model_version=run_id.removeprefix("r"),
        model_alias="champion",
        model_run_id=run_id,
        model_id=f"m-{run_id}",
        features_as_of=None,
        features_at=at,
        feature_service=use_case,
        feature_fingerprint="f",
        entities=list(entities.items()),
        inputs=list((inputs or {}).items()),
        applied=[],
        features=[],
        degraded=list(degraded),
    ) | {"decision": "none", **said}

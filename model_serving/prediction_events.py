"""What the log says of a prediction: the contract ``serving.prediction.v1``."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from ml_modeling.registry.served import NO_DECISION
from ml_modeling.registry.unscored import CHALLENGER_FAILED
from model_serving.schemas import Arm
from model_serving.scoring import Answer, By, Scored
from tidemill.contracts import contract, event

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOPIC = "serving.prediction.v1"
SOURCE = "urn:tidemill:model_serving"


def prediction_events(answer: Answer) -> Iterator[dict[str, Any]]:
    """The event of each prediction of ``answer``.

    Its id follows from the day, the use case, the request id and the place in the request: a request sent again
    under the same id is the same event, and an id never has two dates. What a shadow says of the same request is an
    event of its own, one for each model.
    """
    declared = contract(TOPIC)
    for index, (scored, by) in enumerate(zip(answer.scored, answer.by, strict=True)):
        record = f"{answer.time:%Y-%m-%d}/{answer.asked.use_case}/{answer.request_id}/{index}"
        if by.arm is Arm.SHADOW:
            record = f"{record}/{by.arm}/{by.model.identity.model_id}"
        yield event(declared, SOURCE, record, answer.time, _data(answer, scored, by))


def _data(answer: Answer, scored: Scored, by: By) -> dict[str, Any]:
    model, row, asked = by.model, scored.row, answer.asked
    entities = asked.entities(scored.instance)
    values = row.values if row is not None else (None,) * len(model.features)
    return {
        "request_id": answer.request_id,
        "use_case": asked.use_case,
        "entity_id": entities[asked.keys[0]],
        **{name: value for name, value in scored.fields.items() if value is not None},
        "decision": scored.fields.get("decision") or NO_DECISION,
        "model_name": model.name,
        "model_version": model.version,
        "model_alias": model.alias,
        "model_run_id": model.identity.run_id,
        "model_id": model.identity.model_id,
        "features_as_of": scored.features_as_of and scored.features_as_of.isoformat(),
        "features_at": _timestamp(row.time) if row is not None else None,
        "feature_service": model.feature_service,
        "feature_fingerprint": model.spec.feature_fingerprint,
        "entities": entities,
        "inputs": asked.brought(scored.instance),
        "applied": dict(row.applied) if row is not None else {},
        "features": dict(zip(model.features, values, strict=True)),
        "degraded": _degraded(scored, by),
        "arm": str(by.arm),
        **({} if answer.epoch is None else {"epoch": answer.epoch}),
        "ms": by.ms,
        "challenger_failed": by.challenger_failed,
    }


def _degraded(scored: Scored, by: By) -> list[str]:
    reasons = [str(reason) for reason in scored.degraded]
    return [*reasons, CHALLENGER_FAILED] if by.arm is Arm.SHADOW and by.challenger_failed else reasons


def _timestamp(micros: int) -> str:
    return (EPOCH + timedelta(microseconds=micros)).isoformat(timespec="microseconds")

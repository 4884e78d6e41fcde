"""What OpenAPI says beyond the types: an example of every answer, and of every error."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from model_serving.problems import MEDIA_TYPE, problem
from model_serving.schemas import FieldProblem, Problem

Responses = dict[int | str, dict[str, Any]]

_REQUEST_ID = "5f1c0a2e9d3b4c6f8a7e6d5c4b3a2918"
_MODEL = {"name": "churn", "version": "3", "alias": "champion"}
_AS_OF = "2011-12-09T00:00:00Z"

_HEALTHY = {
    "predictions": [
        {
            "customer_id": "17850",
            "score": 0.8127,
            "decision": "churns",
            "features_as_of": _AS_OF,
            "degraded": [],
        }
    ],
    "model": _MODEL,
    "request_id": _REQUEST_ID,
}
_DEGRADED = {
    "predictions": [
        {
            "customer_id": "unheard-of",
            "score": 0.4,
            "decision": None,
            "features_as_of": None,
            "degraded": ["registry_unavailable", "cold_start"],
        }
    ],
    "model": _MODEL,
    "request_id": _REQUEST_ID,
}
_INFO = {
    **_MODEL,
    "features": ["recency_days", "frequency_90d"],
    "feature_service": "churn",
    "threshold": 0.5,
    "decisions": ["stays", "churns"],
    "cold_start_score": 0.4,
    "cold_start_decision": None,
    "loaded_at": "2026-01-31T12:00:00Z",
    "is_cached": False,
}
_READY = {
    "status": "degraded",
    "dependencies": {
        "model/churn": {"state": "ok", "detail": "version 3"},
        "registry": {"state": "ok", "detail": "http://127.0.0.1:5000"},
        "feature_store": {"state": "unavailable", "detail": "Redis at 127.0.0.1:6379 did not answer: ..."},
        "prediction_log": {"state": "ok", "detail": "0 waiting, 0 dropped"},
    },
}
_NOT_READY = {
    "status": "unavailable",
    "dependencies": {"model/churn": {"state": "unavailable", "detail": "model 'churn' has no champion: ..."}},
}


def _error(status: int, description: str, detail: str, *errors: FieldProblem) -> Responses:
    example = problem(status, detail, _REQUEST_ID, errors).model_dump(mode="json")
    schema = {"$ref": "#/components/schemas/Problem"}
    return {status: {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}}


def _answer(media_type: str, **examples: object) -> dict[str, Any]:
    return {"content": {media_type: {"examples": {name: {"value": value} for name, value in examples.items()}}}}


_UNKNOWN = _error(404, "No such use case", "no use case 'chrun'; this server has: churn")
_CRASH = _error(500, "The server's own fault", "The server failed to answer; its log has the reason.")
_NO_MODEL = _error(503, "No model yet", "no model for churn yet; /readyz says why")
_NO_MODEL[503]["headers"] = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "seconds until a model may be there"}
}
_EMPTY_ID = FieldProblem(field="/instances/0/customer_id", message="String should have at least 1 character")

PREDICT: Responses = {
    200: _answer("application/json", healthy=_HEALTHY, degraded=_DEGRADED),
    **_UNKNOWN,
    **_error(413, "Body too large", "the body is larger than 1000000 bytes"),
    **_error(415, "Not JSON", "the body must have Content-Type: application/json"),
    **_error(422, "Malformed body", f"{_EMPTY_ID.field}: {_EMPTY_ID.message}", _EMPTY_ID),
    **_CRASH,
    **_NO_MODEL,
}
MODEL_INFO: Responses = {200: _answer("application/json", champion=_INFO), **_UNKNOWN, **_CRASH, **_NO_MODEL}
HEALTHZ: Responses = {200: _answer("application/json", alive={"status": "alive"})}
READYZ: Responses = {
    200: _answer("application/json", degraded=_READY),
    503: {
        "description": "A use case has no model",
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Readiness"},
                "example": _NOT_READY,
            }
        },
    },
}
METRICS: Responses = {
    200: {
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": "# TYPE tidemill_serving_requests_total counter\ntidemill_serving_requests_total{...} 1.0\n",
            }
        }
    }
}


def describe(app: FastAPI, max_instances: int) -> None:
    """Make ``app`` publish its schema with the parts that no route's types mention."""

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app, max_instances)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _schema(app: FastAPI, max_instances: int) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = made["components"]["schemas"]
    described = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    components.update(described.pop("$defs", {}))
    components["Problem"] = described
    for unused in ("HTTPValidationError", "ValidationError"):
        components.pop(unused, None)
    # FastAPI promises its own 422 for every route with a parameter; a path of any text is never malformed here.
    made["paths"]["/model-info/{use_case}"]["get"]["responses"].pop("422", None)
    components["PredictRequest"]["properties"]["instances"]["maxItems"] = max_instances
    return made

"""What OpenAPI says beyond the types: an example of every answer, and of every error."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from feature_store.definitions import Task
from model_serving.asked import Asked
from model_serving.use_case_schemas import TOP, UseCaseSchemas
from tidemill.web.problems import MEDIA_TYPE, FieldProblem, Problem, problem

JSON = "application/json"
Responses = dict[int | str, dict[str, Any]]

_REQUEST_ID = "5f1c0a2e9d3b4c6f8a7e6d5c4b3a2918"
_RUN = {"run_id": "52a3117a58a8404e9a84453477a04632", "model_id": "m-35f7c64c8fb7452b8c63c0da4c4b45c4"}
_BY = {"arm": "champion", "version": "3"}
_AS_OF = "2026-01-31T12:00:00Z"
_FEATURE = "purchases__time_since_last_all"
_ANSWERS: Mapping[Task, tuple[dict[str, Any], dict[str, Any]]] = {
    Task.BINARY: ({"score": 0.8127, "decision": "yes"}, {"score": 0.4, "decision": None}),
    Task.MULTICLASS: (
        {"scores": {"low": 0.1, "middle": 0.2, "high": 0.7}, "decision": "high"},
        {"scores": {"low": 0.5, "middle": 0.3, "high": 0.2}, "decision": None},
    ),
    Task.REGRESSION: ({"value": 81.5, "interval": [12.25, 160.0]}, {"value": 40.0, "interval": None}),
}
"""With features, and for a cold start."""
_REASONS: Mapping[Task, dict[str, Any]] = {
    Task.BINARY: {"space": "log_odds", "explained": "yes"},
    Task.MULTICLASS: {"space": "logit", "explained": "high"},
    Task.REGRESSION: {"space": "value", "explained": None},
}
_CHALLENGER = {
    "version": "4",
    "run_id": "9c0e4d51f1a44b7d8e6a2b3c4d5e6f70",
    "model_id": "m-0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e",
}
_TRAFFIC = {
    "epoch": 5,
    "policy": "canary",
    "share": 10,
    "challenger": {**_CHALLENGER, "is_loaded": True, "trouble": None},
}
_READY = {
    "status": "degraded",
    "dependencies": {
        "model/spam": {
            "state": "ok",
            "detail": "version 3 (model m-35f7c64c8fb7452b8c63c0da4c4b45c4 of run 52a3117a58a8404e9a84453477a04632)",
        },
        "registry": {"state": "ok", "detail": "http://127.0.0.1:5000"},
        "feature_store": {"state": "unavailable", "detail": "Redis at 127.0.0.1:6379 did not answer: ..."},
        "prediction_log": {"state": "ok", "detail": "0 waiting, 0 dropped"},
        "control_store": {"state": "ok", "detail": "spam: epoch 5, canary, version 4 10 %"},
    },
}
_NOT_READY = {
    "status": "unavailable",
    "dependencies": {"model/spam": {"state": "unavailable", "detail": "model 'spam' has no champion: ..."}},
}


def _error(status: int, description: str, detail: str, *errors: FieldProblem) -> Responses:
    example = problem(status, detail, _REQUEST_ID, errors).model_dump(mode="json")
    schema = {"$ref": "#/components/schemas/Problem"}
    return {status: {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}}


def _answer(media_type: str, **examples: object) -> dict[str, Any]:
    return {"content": {media_type: {"examples": {name: {"value": value} for name, value in examples.items()}}}}


_CRASH = _error(500, "The server's own fault", "The server failed to answer; its log has the reason.")


def _away(detail: str) -> Responses:
    found = _error(503, "Not now", detail)
    found[503]["headers"] = {
        "Retry-After": {"schema": {"type": "integer"}, "description": "seconds until it may be answered"}
    }
    return found


def _no_model(use_case: str) -> Responses:
    return _away(f"no model for {use_case} yet; /readyz says why")


def _of_a_body(field: FieldProblem) -> Responses:
    return {
        **_error(408, "Body too slow", "the body did not arrive within 30 s"),
        **_error(413, "Body too large", "the body is larger than 1000000 bytes"),
        **_error(415, "Not JSON, or compressed", "the body must have Content-Type: application/json"),
        **_error(422, "Malformed body", f"{field.field}: {field.message}", field),
        **_CRASH,
    }


def predict_responses(schemas: UseCaseSchemas) -> Responses:
    """What ``POST /predict`` answers for a use case."""
    empty = FieldProblem(
        field=f"/instances/0/{schemas.asked.keys[0]}", message="String should have at least 1 character"
    )
    model = _model(schemas.asked)
    known, cold = ({"predictions": [_prediction(schemas, is_cold=is_cold)], **model} for is_cold in (False, True))
    return {
        200: _answer(JSON, healthy=known, degraded=cold),
        **_of_a_body(empty),
        **_no_model(schemas.asked.use_case),
    }


def explain_responses(schemas: UseCaseSchemas) -> Responses:
    """What ``POST /explain`` answers for a use case."""
    use_case = schemas.asked.use_case
    missing = FieldProblem(field=f"/instance/{schemas.asked.keys[0]}", message="Field required")
    one = {"feature": _FEATURE, "value": 8640000.0, "contribution": 1.25}
    told = {**_REASONS[schemas.asked.task], "base": -0.5, "reasons": [one], "rest": 0.25, "output": 1.0}
    untold: dict[str, Any] = {**dict.fromkeys(told), "reasons": []}
    model = _model(schemas.asked)
    return {
        200: _answer(
            JSON,
            explained={"prediction": _prediction(schemas, is_cold=False), **told, **model},
            degraded={"prediction": _prediction(schemas, is_cold=True), **untold, **model},
        ),
        **_error(400, "No reasons for this model", f"version 3 of {use_case!r} cannot be explained: there are ..."),
        **_of_a_body(missing),
        **_away("no reasons within 2.0 s: others are before it, or the model is slow to explain"),
    }


def example_request(schemas: UseCaseSchemas) -> dict[str, Any]:
    return {"instances": [dict(schemas.example)]}


def example_explain_request(schemas: UseCaseSchemas) -> dict[str, Any]:
    return {"instance": dict(schemas.example), "top": TOP}


def _prediction(schemas: UseCaseSchemas, *, is_cold: bool) -> dict[str, Any]:
    known, cold = _ANSWERS[schemas.asked.task]
    ids = schemas.asked.entities(schemas.example)
    if is_cold:
        return {**ids, **cold, "features_as_of": None, "degraded": ["registry_unavailable", "cold_start"], **_BY}
    return {**ids, **known, "features_as_of": _AS_OF, "degraded": [], **_BY}


def _model(asked: Asked) -> dict[str, Any]:
    return {
        "model": {"name": asked.use_case, "version": "3", "alias": "champion", "arm": "champion", **_RUN},
        "request_id": _REQUEST_ID,
    }


def model_info_responses(asked: Asked) -> Responses:
    """What ``GET /model-info`` answers, with the example of one use case."""
    info = {
        **_model(asked)["model"],
        "entities": list(asked.keys),
        "inputs": list(asked.inputs),
        "features": [_FEATURE],
        "feature_service": asked.use_case,
        "loaded_at": _AS_OF,
        "is_cached": False,
        "traffic": _TRAFFIC,
        "task": str(asked.task),
        **_INFO[asked.task],
    }
    unknown = _error(404, "No such use case", f"no use case 'chrun'; this server has: {asked.use_case}")
    return {200: _answer(JSON, champion=info), **unknown, **_CRASH, **_no_model(asked.use_case)}


_INFO: Mapping[Task, dict[str, Any]] = {
    Task.BINARY: {"threshold": 0.5, "decisions": ["no", "yes"], "cold_start_score": 0.4, "cold_start_decision": None},
    Task.MULTICLASS: {
        "classes": ["low", "middle", "high"],
        "cold_start_scores": {"low": 0.5, "middle": 0.3, "high": 0.2},
        "cold_start_decision": None,
    },
    Task.REGRESSION: {"minimum": 0.0, "coverage": 0.9, "cold_start_value": 40.0},
}
HEALTHZ: Responses = {200: _answer(JSON, alive={"status": "alive"})}
READYZ: Responses = {
    200: _answer(JSON, degraded=_READY),
    503: {
        "description": "No use case has a model yet",
        "content": {
            JSON: {
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


def describe(app: FastAPI, use_cases: Sequence[UseCaseSchemas]) -> None:
    """Make ``app`` publish its schema with the parts that no route's types mention."""

    def schema() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _schema(app, use_cases)
        return app.openapi_schema

    app.openapi = schema  # type: ignore[method-assign]


def _schema(app: FastAPI, use_cases: Sequence[UseCaseSchemas]) -> dict[str, Any]:
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
    for schemas in use_cases:
        use_case = schemas.asked.use_case
        _put_examples(made["paths"][f"/predict/{use_case}"]["post"], predict_responses(schemas))
        _put_examples(made["paths"][f"/explain/{use_case}"]["post"], explain_responses(schemas))
    _put_examples(made["paths"]["/model-info/{use_case}"]["get"], model_info_responses(use_cases[0].asked))
    return made


def _put_examples(operation: dict[str, Any], responses: Responses) -> None:
    """The examples of success once more: FastAPI leaves every null out of them."""
    operation["responses"]["200"]["content"][JSON]["examples"] = responses[200]["content"][JSON]["examples"]

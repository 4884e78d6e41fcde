"""The routes of each use case, typed as it is asked and as it answers."""

import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from ml_modeling.evaluation.columns import UnexplainableModelError
from ml_modeling.registry import ServedModel
from model_serving import metrics, openapi
from model_serving.asked import Asked
from model_serving.json_body import JsonRoute
from model_serving.lookup import champion_of, holder_of, server_of
from model_serving.problems import ProblemError, request_id_of
from model_serving.reasons import Reasoned, largest
from model_serving.scoring import Answer, Scored
from model_serving.server import Server
from model_serving.use_case_schemas import UseCaseSchemas

Endpoint = Callable[..., Awaitable[Response]]
JSON = "application/json"


def use_case_routes(server: Server, use_cases: Iterable[UseCaseSchemas]) -> APIRouter:
    """``/predict`` and ``/explain`` of every use case, and what answers for all others."""
    router = APIRouter(route_class=JsonRoute, tags=["predictions"])
    for schemas in use_cases:
        name = schemas.asked.use_case
        router.add_api_route(
            f"/predict/{name}",
            _predict(server, schemas),
            methods=["POST"],
            operation_id=f"predict_{name}",
            summary=f"Predict {name}",
            response_model=schemas.predictions,
            responses=openapi.predict_responses(schemas),
            openapi_extra=_example(openapi.example_request(schemas)),
        )
        router.add_api_route(
            f"/explain/{name}",
            _explain(server, schemas),
            methods=["POST"],
            operation_id=f"explain_{name}",
            summary=f"Explain {name}",
            response_model=schemas.explanation,
            responses=openapi.explain_responses(schemas),
            openapi_extra=_example(openapi.example_explain_request(schemas)),
        )
    for path in ("/predict/{use_case}", "/explain/{use_case}"):
        router.add_api_route(path, _unknown, methods=["POST"], include_in_schema=False)
    return router


def _example(body: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"content": {JSON: {"example": body}}}}


async def _unknown(use_case: str, request: Request) -> Response:
    holder_of(server_of(request), use_case)
    raise ProblemError(404, f"no such route: {request.url.path[:200]!r}")


def _predict(server: Server, schemas: UseCaseSchemas) -> Endpoint:
    asked, holder = schemas.asked, server.holders[schemas.asked.use_case]

    async def predict(body: Any, request: Request) -> Response:
        """Score each instance with the champion of the use case, from its newest features.

        An answer always comes: `degraded` tells what it had to do without.
        """
        champion = champion_of(server, holder)
        scored = await server.batcher.score(champion, body.instances, holder.standing_reasons(champion))
        answer = Answer(request_id_of(request), asked, datetime.now(UTC), champion.model, scored)
        server.log.offer(answer)
        _count(answer)
        return Response(_predictions(answer), media_type=JSON)

    predict.__annotations__["body"] = schemas.predict_request
    return predict


def _explain(server: Server, schemas: UseCaseSchemas) -> Endpoint:
    asked, holder = schemas.asked, server.holders[schemas.asked.use_case]

    async def explain(body: Any, request: Request) -> Response:
        """Answer one instance as a prediction, with what each feature added to the answer (SHAP values).

        They are of the features that the answer was made from. Without features there are none: `reasons` is empty,
        and `degraded` of the prediction tells why. What is explained is not logged as a prediction.
        """
        champion = champion_of(server, holder)
        standing = holder.standing_reasons(champion)
        try:
            reasoned = await server.reasons.reasons(champion, body.instance, standing)
        except UnexplainableModelError as error:
            version = f"version {champion.model.version} of {asked.use_case!r}"
            raise ProblemError(400, f"{version} cannot be explained: {error}") from None
        except TimeoutError:
            limit = server.reasons.timeout_s
            detail = f"no reasons within {limit} s: others are before it, or the model is slow to explain"
            raise ProblemError(503, detail, headers={"retry-after": str(math.ceil(limit))}) from None
        return Response(
            _explanation(asked, champion.model, reasoned, body.top, request_id_of(request)), media_type=JSON
        )

    explain.__annotations__["body"] = schemas.explain_request
    return explain


def _count(answer: Answer) -> None:
    metrics.predictions.labels(answer.asked.use_case).inc(len(answer.scored))
    for scored in answer.scored:
        for reason in scored.degraded:
            metrics.degraded.labels(answer.asked.use_case, reason).inc()


def _predictions(answer: Answer) -> bytes:
    keys = answer.asked.keys
    return orjson.dumps(
        {
            "predictions": [_prediction(keys, scored) for scored in answer.scored],
            "model": _model(answer.model),
            "request_id": answer.request_id,
        }
    )


def _prediction(keys: tuple[str, ...], scored: Scored) -> dict[str, Any]:
    return {
        **{key: scored.instance[key] for key in keys},
        **scored.fields,
        "features_as_of": scored.features_as_of,
        "degraded": scored.degraded,
    }


def _explanation(asked: Asked, model: ServedModel, reasoned: Reasoned, top: int, request_id: str) -> bytes:
    found, row = reasoned.reasons, reasoned.scored.row
    told = largest(found, model.features, row.values, top) if found and row else []
    return orjson.dumps(
        {
            "prediction": _prediction(asked.keys, reasoned.scored),
            "space": found and found.space,
            "explained": found and found.explained,
            "base": found and found.base,
            "reasons": told,
            "rest": found and sum(found.contributions) - sum(reason["contribution"] for reason in told),
            "output": found and found.output,
            "model": _model(model),
            "request_id": request_id,
        }
    )


def _model(model: ServedModel) -> dict[str, str]:
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "run_id": model.identity.run_id,
        "model_id": model.identity.model_id,
    }

"""The routes of each use case, typed as it is asked and as it answers."""

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson
from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from ml_modeling.evaluation.columns import UnexplainableModelError
from ml_modeling.registry import ServedModel
from model_serving import metrics, openapi
from model_serving.asked import Instance
from model_serving.desk import Explained
from model_serving.json_body import JsonRoute
from model_serving.lookup import arrived_at, champion_of, holder_of, server_of
from model_serving.problems import MAX_FIELDS, ProblemError, request_id_of
from model_serving.reasons import largest
from model_serving.schemas import Arm
from model_serving.scoring import Answer, Scored, UnanswerableError
from model_serving.server import Server
from model_serving.use_case_schemas import UseCaseSchemas
from tidemill.web.problems import FieldProblem

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
    desk, holder = server.desks[schemas.asked.use_case], server.holders[schemas.asked.use_case]

    async def predict(body: Any, request: Request) -> Response:
        """Score each instance with the champion of the use case, from its newest features.

        While a rollout lets a challenger answer some entities, `arm` and `version` tell which model answered. An answer
        always comes: `degraded` tells what it had to do without.
        """
        champion = champion_of(server, holder)
        try:
            answer, turn = await desk.answer(champion, body.instances, request_id_of(request), arrived_at(request))
        except UnanswerableError as error:
            raise _unanswered(error, [f"/instances/{place}" for place in _places(error, body.instances)]) from error
        server.log.offer(answer)
        _count(answer)
        later = None if turn.shadow is None else BackgroundTask(server.shadow.follow, answer, turn.shadow)
        return Response(_predictions(answer), media_type=JSON, background=later)

    predict.__annotations__["body"] = schemas.predict_request
    return predict


def _explain(server: Server, schemas: UseCaseSchemas) -> Endpoint:
    desk, holder = server.desks[schemas.asked.use_case], server.holders[schemas.asked.use_case]

    async def explain(body: Any, request: Request) -> Response:
        """Answer one instance as a prediction, with what each feature added to the answer (SHAP values).

        They are of the features that the answer was made from. Without features there are none: `reasons` is empty,
        and `degraded` of the prediction tells why. What is explained is not logged as a prediction.
        """
        champion = champion_of(server, holder)
        try:
            explained = await desk.explain(champion, body.instance)
        except UnexplainableModelError as error:
            version = f"version {champion.model.version} of {desk.asked.use_case!r}"
            raise ProblemError(400, f"{version} cannot be explained: {error}") from None
        except UnanswerableError as error:
            raise _unanswered(error, ["/instance"]) from error
        except TimeoutError:
            limit = server.reasons.timeout_s
            detail = f"no reasons within {limit} s: others are before it, or the model is slow to explain"
            raise ProblemError(503, detail, headers={"retry-after": str(math.ceil(limit))}) from None
        return Response(_explanation(explained, body.top, request_id_of(request)), media_type=JSON)

    explain.__annotations__["body"] = schemas.explain_request
    return explain


def _places(error: UnanswerableError, instances: Sequence[Instance]) -> list[int]:
    unanswered = {id(instance) for instance in error.instances}
    return [place for place, instance in enumerate(instances) if id(instance) in unanswered]


def _unanswered(error: UnanswerableError, pointers: Sequence[str]) -> ProblemError:
    errors = [FieldProblem(field=pointer, message=str(error)) for pointer in pointers[:MAX_FIELDS]]
    return ProblemError(422, f"{pointers[0]}: {error}", errors=errors)


def _count(answer: Answer) -> None:
    use_case = answer.asked.use_case
    metrics.predictions.labels(use_case).inc(len(answer.scored))
    for by, count in Counter(answer.by).items():
        metrics.arm_predictions.labels(use_case, by.arm, by.model.version).inc(count)
    for scored in answer.scored:
        for reason in scored.degraded:
            metrics.degraded.labels(use_case, reason).inc()


def _predictions(answer: Answer) -> bytes:
    keys = answer.asked.keys
    return orjson.dumps(
        {
            "predictions": [
                _prediction(keys, scored, by.arm, by.model) for scored, by in zip(answer.scored, answer.by, strict=True)
            ],
            "model": _model(answer.by[0].arm, answer.by[0].model),
            "request_id": answer.request_id,
        }
    )


def _prediction(keys: tuple[str, ...], scored: Scored, arm: Arm, model: ServedModel) -> dict[str, Any]:
    return {
        **{key: scored.instance[key] for key in keys},
        **scored.fields,
        "features_as_of": scored.features_as_of,
        "degraded": scored.degraded,
        "arm": arm,
        "version": model.version,
    }


def _explanation(explained: Explained, top: int, request_id: str) -> bytes:
    model, reasoned = explained.model, explained.reasoned
    found, row = reasoned.reasons, reasoned.scored.row
    told = largest(found, model.features, row.values, top) if found and row else []
    return orjson.dumps(
        {
            "prediction": _prediction(explained.asked.keys, reasoned.scored, explained.arm, model),
            "space": found and found.space,
            "explained": found and found.explained,
            "base": found and found.base,
            "reasons": told,
            "rest": found and sum(found.contributions) - sum(reason["contribution"] for reason in told),
            "output": found and found.output,
            "model": _model(explained.arm, model),
            "request_id": request_id,
        }
    )


def _model(arm: Arm, model: ServedModel) -> dict[str, str]:
    return {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "arm": arm,
        "run_id": model.identity.run_id,
        "model_id": model.identity.model_id,
    }

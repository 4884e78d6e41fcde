"""The routes."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from model_serving import metrics, openapi
from model_serving.champion import Champion, ChampionHolder
from model_serving.problems import ProblemError, request_id_of
from model_serving.schemas import FieldProblem, Health, ModelInfo, PredictRequest, PredictResponse, Readiness
from model_serving.scoring import Answer
from model_serving.server import Server


class StrictJsonRequest(Request):
    async def json(self) -> Any:
        """The body by orjson: no NaN, no lone surrogates, bounded nesting; an error says at which byte."""
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class JsonRoute(APIRoute):
    """A route whose body must be JSON and be called JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json":
                raise ProblemError(415, "the body must have Content-Type: application/json")
            return await handle(StrictJsonRequest(request.scope, request.receive))

        return handle_json


predictions = APIRouter(route_class=JsonRoute, tags=["predictions"])
models = APIRouter(tags=["models"])
service = APIRouter(tags=["service"])


@predictions.post("/predict/{use_case}", response_model=PredictResponse, responses=openapi.PREDICT)
async def predict(use_case: str, body: PredictRequest, request: Request) -> Response:
    """Score each instance with the champion of the use case, from its newest features.

    An answer always comes: `degraded` tells what it had to do without.
    """
    server = _server(request)
    _check_size(server, body)
    holder = _holder(server, use_case)
    champion = _champion(server, holder)
    ids = [instance.customer_id for instance in body.instances]
    standing = holder.standing_reasons(champion)
    scored = await server.batcher.score(champion, ids, standing)
    answer = Answer(request_id_of(request), use_case, datetime.now(UTC), champion.model, scored)
    server.log.offer(answer)
    _count(answer)
    return Response(_document(answer), media_type="application/json")


@models.get("/model-info/{use_case}", responses=openapi.MODEL_INFO)
async def model_info(use_case: str, request: Request) -> ModelInfo:
    """The champion that answers now, with the features it takes."""
    server = _server(request)
    champion = _champion(server, _holder(server, use_case))
    model = champion.model
    return ModelInfo(
        name=model.name,
        version=model.version,
        alias=model.alias,
        features=list(model.features),
        feature_service=model.feature_service,
        threshold=model.threshold,
        decisions=model.decisions,
        cold_start_score=model.cold_start_score,
        cold_start_decision=model.cold_start_decision,
        loaded_at=champion.loaded_at,
        is_cached=champion.is_cached,
    )


@service.get("/healthz", responses=openapi.HEALTHZ)
async def healthz() -> Health:
    """The process answers. Restart it when this does not."""
    return Health()


@service.get("/readyz", response_model=Readiness, responses=openapi.READYZ)
async def readyz(request: Request) -> Response:
    """What the server last saw of each dependency. 503: a use case has no model, send no requests here."""
    readiness = _server(request).readiness()
    status = 503 if readiness.status == "unavailable" else 200
    return Response(readiness.model_dump_json(), status, media_type="application/json")


@service.get("/metrics", response_class=Response, responses=openapi.METRICS)
def metrics_exposition(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    shared = metrics.shared_folder(_server(request).settings)
    return Response(metrics.exposition(shared), media_type=metrics.CONTENT_TYPE)


def _server(request: Request) -> Server:
    server: Server = request.app.state.server
    return server


def _check_size(server: Server, body: PredictRequest) -> None:
    limit = server.settings.serving.max_instances
    if len(body.instances) > limit:
        message = f"{len(body.instances)} instances; at most {limit} in one request"
        raise ProblemError(422, f"/instances: {message}", errors=[FieldProblem(field="/instances", message=message)])


def _holder(server: Server, use_case: str) -> ChampionHolder:
    try:
        return server.holders[use_case]
    except KeyError:
        known = ", ".join(server.holders)
        raise ProblemError(404, f"no use case {use_case[:64]!r}; this server has: {known}") from None


def _champion(server: Server, holder: ChampionHolder) -> Champion:
    champion = holder.champion
    if champion is None:
        raise ProblemError(
            503,
            f"no model for {holder.use_case} yet; /readyz says why",
            headers={"retry-after": str(server.retry_after_s)},
        )
    return champion


def _count(answer: Answer) -> None:
    metrics.predictions.labels(answer.use_case).inc(len(answer.scored))
    for scored in answer.scored:
        for reason in scored.degraded:
            metrics.degraded.labels(answer.use_case, reason).inc()


def _document(answer: Answer) -> bytes:
    model = answer.model
    return orjson.dumps(
        {
            "predictions": [
                {
                    "customer_id": scored.customer_id,
                    "score": scored.score,
                    "decision": scored.decision,
                    "features_as_of": scored.features_as_of,
                    "degraded": scored.degraded,
                }
                for scored in answer.scored
            ],
            "model": {"name": model.name, "version": model.version, "alias": model.alias},
            "request_id": answer.request_id,
        }
    )

"""The routes that read: the champion, the health of the server, its metrics."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from ml_modeling.registry.served import MulticlassServing, RegressionServing, ServingSpec
from model_serving import metrics, openapi
from model_serving.arms import Arms
from model_serving.asked import Asked
from model_serving.head import ReadRouter
from model_serving.loaded import LoadedModel
from model_serving.lookup import champion_of, holder_of, server_of
from model_serving.schemas import (
    AnyModelInfo,
    Arm,
    BinaryModelInfo,
    ChallengerInfo,
    Health,
    MulticlassModelInfo,
    Readiness,
    RegressionModelInfo,
    TrafficInfo,
)

service = ReadRouter(tags=["service"])


def models(asked: Asked) -> APIRouter:
    """The route of the champion; ``asked`` is the use case of its example."""
    router = ReadRouter(tags=["models"])

    @router.get("/model-info/{use_case}", response_model=AnyModelInfo, responses=openapi.model_info_responses(asked))
    async def model_info(
        use_case: str, request: Request
    ) -> BinaryModelInfo | MulticlassModelInfo | RegressionModelInfo:
        """The champion that answers now, with the features it takes, and the traffic that it shares."""
        server = server_of(request)
        holder = holder_of(server, use_case)
        return _info(champion_of(server, holder), holder.asked, server.arms[use_case])

    return router


def _info(
    champion: LoadedModel, asked: Asked, arms: Arms
) -> BinaryModelInfo | MulticlassModelInfo | RegressionModelInfo:
    model = champion.model
    common = {
        "name": model.name,
        "version": model.version,
        "alias": model.alias,
        "arm": Arm.CHAMPION,
        "run_id": model.identity.run_id,
        "model_id": model.identity.model_id,
        "entities": list(asked.keys),
        "inputs": list(asked.inputs),
        "features": list(model.features),
        "feature_service": model.feature_service,
        "loaded_at": champion.loaded_at,
        "is_cached": champion.is_cached,
        "traffic": _traffic(arms),
    }
    match model.spec:
        case ServingSpec() as spec:
            return BinaryModelInfo(
                **common,
                threshold=spec.threshold,
                decisions=spec.decisions,
                cold_start_score=spec.cold_start_score,
                cold_start_decision=spec.cold_start_decision,
            )
        case MulticlassServing() as spec:
            return MulticlassModelInfo(
                **common,
                classes=list(spec.classes),
                cold_start_scores=dict(zip(spec.classes, spec.cold_start_scores, strict=True)),
                cold_start_decision=spec.cold_start_decision,
            )
        case RegressionServing() as spec:
            return RegressionModelInfo(
                **common,
                minimum=spec.minimum,
                coverage=spec.interval and spec.interval.coverage,
                cold_start_value=spec.cold_start_value,
            )


def _traffic(arms: Arms) -> TrafficInfo | None:
    rollout = arms.rollout
    if rollout is None:
        return None
    return TrafficInfo(
        epoch=rollout.epoch,
        policy=rollout.traffic.policy,
        share=rollout.traffic.share,
        challenger=_challenger(arms),
    )


def _challenger(arms: Arms) -> ChallengerInfo | None:
    ref = arms.named
    if ref is None:
        return None
    return ChallengerInfo(
        version=ref.version,
        run_id=ref.run_id,
        model_id=ref.model_id,
        is_loaded=arms.challenger.is_named(ref) is not None,
        trouble=arms.challenger.trouble(ref),
    )


@service.get("/healthz", responses=openapi.HEALTHZ)
async def healthz() -> Health:
    """The process answers. Restart it when this does not."""
    return Health()


@service.get("/readyz", response_model=Readiness, responses=openapi.READYZ)
async def readyz(request: Request) -> Response:
    """What the server last saw of each dependency. 503: there is no model at all, or not yet; send no requests here."""
    readiness = server_of(request).readiness()
    status = 503 if readiness.status == "unavailable" else 200
    return Response(readiness.model_dump_json(), status, media_type="application/json")


@service.get("/metrics", response_class=Response, responses=openapi.METRICS)
def metrics_exposition(request: Request) -> Response:
    """Metrics in Prometheus' text format."""
    shared = metrics.shared_folder(server_of(request).settings)
    return Response(metrics.exposition(shared), media_type=metrics.CONTENT_TYPE)

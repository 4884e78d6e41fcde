"""A model that is ready to answer, whichever arm it answers for."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ml_modeling.registry import ServedModel
from ml_modeling.registry.served import Serving
from model_serving.answers import Fields, UnusableModelError, cold_answer, warm
from model_serving.asked import Asked
from model_serving.breaker import CircuitBreaker
from model_serving.features import FeatureSource
from model_serving.reasoners import ReasonGiver
from tidemill.config.settings import Settings


@dataclass(frozen=True)
class LoadedModel:
    """A model that has scored, with the features it takes, its answer for a cold start, and what gives its reasons.

    ``is_cached``: from disk, not confirmed by the registry.
    """

    model: ServedModel
    source: FeatureSource
    cold: Fields
    reasons: ReasonGiver
    loaded_at: datetime
    is_cached: bool = False


def make_ready(
    settings: Settings, asked: Asked, breaker: CircuitBreaker, model: ServedModel, beside: LoadedModel | None = None
) -> LoadedModel:
    """``model`` with its features, warm; it reads them as ``beside`` does where both take the same.

    Raises:
        UnusableModelError: it is of another task than the use case asks for, or cannot score.
        FeatureMismatchError: the feature service does not have what it takes.
    """
    if model.spec.task != asked.task:
        raise UnusableModelError(f"it is a {model.spec.task} model, and {asked.use_case} asks for {asked.task}")
    if beside is not None and _takes(beside.model.spec) == _takes(model.spec):
        source = beside.source
    else:
        source = FeatureSource(settings, asked, model.spec, breaker)
    warm(model)
    source.probe()
    return LoadedModel(model, source, cold_answer(model), ReasonGiver(model), datetime.now(UTC))


def _takes(spec: Serving) -> tuple[str, str, tuple[str, ...]]:
    return spec.feature_service, spec.feature_fingerprint, spec.features

"""From customers to scores: read the features, score who has them, give the others the cold-start score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_store.online import FeatureRow
from ml_modeling.registry import ServedModel
from model_serving import metrics
from model_serving.champion import Champion
from model_serving.features import FeaturesUnavailableError, feature_matrix
from model_serving.schemas import DegradedReason

_features_seconds = metrics.stage_seconds.labels("features")
_score_seconds = metrics.stage_seconds.labels("score")


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer for one customer; ``row`` is None when there were no features."""

    customer_id: str
    score: float
    decision: str
    row: FeatureRow | None
    degraded: tuple[DegradedReason, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's answer, as it is sent and as it is logged."""

    request_id: str
    use_case: str
    time: datetime
    model: ServedModel
    scored: tuple[Scored, ...]


def score(champion: Champion, ids: Sequence[str], standing: tuple[DegradedReason, ...]) -> tuple[Scored, ...]:
    """One answer a customer, in order; ``standing`` are the reasons that hold for all of them.

    A customer without features, unknown or unreadable, gets the model's cold-start score.
    """
    with _features_seconds.time():
        rows, missing = _rows(champion, ids)
    with _score_seconds.time():
        scores = iter(_known_scores(champion.model, [row for row in rows if row is not None]))
    model = champion.model
    return tuple(
        _scored(model, customer_id, model.cold_start_score, None, (*standing, missing))
        if row is None
        else _scored(model, customer_id, next(scores), row, standing)
        for customer_id, row in zip(ids, rows, strict=True)
    )


def _rows(champion: Champion, ids: Sequence[str]) -> tuple[Sequence[FeatureRow | None], DegradedReason]:
    try:
        return champion.source.fetch(ids), DegradedReason.COLD_START
    except FeaturesUnavailableError:
        return [None] * len(ids), DegradedReason.FEATURE_STORE_UNAVAILABLE


def _known_scores(model: ServedModel, rows: Sequence[FeatureRow]) -> list[float]:
    return model.score(feature_matrix(rows)).tolist() if rows else []


def _scored(
    model: ServedModel,
    customer_id: str,
    value: float,
    row: FeatureRow | None,
    degraded: tuple[DegradedReason, ...],
) -> Scored:
    return Scored(customer_id, value, model.decide(value), row, degraded)

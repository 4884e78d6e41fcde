"""From customers to scores: read the features, score who has them, give the others the cold-start score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_store.online import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ServedModel
from model_serving import metrics
from model_serving.champion import Champion
from model_serving.features import FeaturesUnavailableError, feature_matrix
from model_serving.schemas import DegradedReason

UNREADABLE = frozenset((Status.UNREADABLE, Status.OTHER_FINGERPRINT))
_features_seconds = metrics.stage_seconds.labels("features")
_score_seconds = metrics.stage_seconds.labels("score")


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer for one customer; ``row`` is None when the features could not be read."""

    customer_id: str
    score: float
    decision: str | None
    row: FeatureRow | None
    degraded: tuple[DegradedReason, ...]

    @property
    def features_as_of(self) -> datetime | None:
        """What the lake had learnt until then is in the features; None where there were none."""
        return None if self.row is None or self.row.is_unknown or self.row.is_lost else self.row.known_until


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

    A customer without features, unknown or unreadable, gets the model's cold-start score and decision.
    """
    with _features_seconds.time():
        rows = _rows(champion, ids)
    with _score_seconds.time():
        scores = iter(_known_scores(champion.model, [row for row, reason in rows if row is not None and not reason]))
    model = champion.model
    return tuple(
        _scored(model, customer_id, next(scores), row, (*standing, *_stale(row)))
        if reason is None
        else Scored(customer_id, model.cold_start_score, model.cold_start_decision, row, (*standing, reason))
        for customer_id, (row, reason) in zip(ids, rows, strict=True)
    )


def _rows(champion: Champion, ids: Sequence[str]) -> list[tuple[FeatureRow | None, DegradedReason | None]]:
    """The row of each customer, and why it is not one to score."""
    try:
        return [(row, _reason(row)) for row in champion.source.fetch(ids)]
    except FeaturesUnavailableError:
        return [(None, DegradedReason.FEATURE_STORE_UNAVAILABLE)] * len(ids)


def _reason(row: FeatureRow) -> DegradedReason | None:
    if row.is_unknown:
        return DegradedReason.COLD_START
    if not UNREADABLE.isdisjoint(row.status.values()):
        return DegradedReason.UNREADABLE_STATE
    if row.is_lost:
        return DegradedReason.STATE_LOST
    if Status.REBUILDING in row.status.values():
        return DegradedReason.STATES_REBUILDING
    if Status.PAST in row.status.values():
        return DegradedReason.CLOCK_BEHIND
    return None


def _stale(row: FeatureRow | None) -> tuple[DegradedReason, ...]:
    return (DegradedReason.STALE_FEATURES,) if row and Status.STALE in row.status.values() else ()


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

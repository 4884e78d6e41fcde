"""From requests to answers: read the features, score who has them, give the others the answer of a cold start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ServedModel
from model_serving import metrics
from model_serving.answers import Fields, answers
from model_serving.asked import Asked, Instance
from model_serving.champion import Champion
from model_serving.features import FeaturesUnavailableError, feature_matrix
from model_serving.schemas import DegradedReason

UNREADABLE = frozenset((Status.UNREADABLE, Status.OTHER_FINGERPRINT))
_features_seconds = metrics.stage_seconds.labels("features")
_score_seconds = metrics.stage_seconds.labels("score")


@dataclass(frozen=True, slots=True)
class Scored:
    """The answer for one instance; ``row`` is None when the features could not be read."""

    instance: Instance
    fields: Fields
    row: FeatureRow | None
    degraded: tuple[DegradedReason, ...]
    is_scored: bool = True

    @property
    def features_as_of(self) -> datetime | None:
        """What the lake had learnt until then is in the features; None where there were none."""
        return None if self.row is None or self.row.is_unknown or self.row.is_lost else self.row.known_until


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's answer, as it is sent and as it is logged."""

    request_id: str
    asked: Asked
    time: datetime
    model: ServedModel
    scored: tuple[Scored, ...]


def score(
    champion: Champion, instances: Sequence[Instance], standing: tuple[DegradedReason, ...]
) -> tuple[Scored, ...]:
    """One answer an instance, in order; ``standing`` are the reasons that hold for all of them.

    Who has no features, unknown or unreadable, gets the model's answer for a cold start.
    """
    with _features_seconds.time():
        rows = _rows(champion, instances)
    with _score_seconds.time():
        found = iter(_known_answers(champion.model, [row for row, reason in rows if row is not None and not reason]))
    return tuple(
        Scored(instance, next(found), row, (*standing, *_stale(row)))
        if reason is None
        else Scored(instance, champion.cold, row, (*standing, reason), is_scored=False)
        for instance, (row, reason) in zip(instances, rows, strict=True)
    )


def _rows(champion: Champion, instances: Sequence[Instance]) -> list[tuple[FeatureRow | None, DegradedReason | None]]:
    """The row of each instance, and why it is not one to score."""
    try:
        return [(row, _reason(row)) for row in champion.source.fetch(instances)]
    except FeaturesUnavailableError:
        return [(None, DegradedReason.FEATURE_STORE_UNAVAILABLE)] * len(instances)


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


def _known_answers(model: ServedModel, rows: Sequence[FeatureRow]) -> list[Fields]:
    return answers(model, feature_matrix(rows)) if rows else []

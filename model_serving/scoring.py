"""From requests to answers: read the features, score who has them, give the others the answer of a cold start."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feature_store.online.reader import FeatureRow
from feature_store.tiles import Status
from ml_modeling.registry import ServedModel
from ml_modeling.registry.served import RegressionServing
from model_serving import metrics
from model_serving.answers import Fields, answers
from model_serving.asked import Asked, Instance
from model_serving.features import FeaturesUnavailableError, feature_matrix
from model_serving.loaded import LoadedModel
from model_serving.schemas import Arm, DegradedReason
from tidemill.config.errors import TerminalError

UNREADABLE = frozenset((Status.UNREADABLE, Status.OTHER_FINGERPRINT))
_features_seconds = metrics.stage_seconds.labels("features")
_score_seconds = metrics.stage_seconds.labels("score")


class UnanswerableError(TerminalError):
    """A model says what is no probability, or no finite number, of ``instances``."""

    def __init__(self, model: ServedModel, instances: Sequence[Instance]) -> None:
        kind = "finite number" if isinstance(model.spec, RegressionServing) else "probability"
        super().__init__(f"what version {model.version} of {model.name!r} answers is no {kind}")
        self.instances = instances


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


@dataclass(frozen=True, slots=True, eq=False)
class By:
    """By whom a prediction was answered.

    ``ms`` went by from the request's arrival to the answers of this arm. ``challenger_failed``: the challenger was to
    answer and could not, so that the champion did.
    """

    arm: Arm
    loaded: LoadedModel
    ms: float
    challenger_failed: bool = False

    @property
    def model(self) -> ServedModel:
        return self.loaded.model


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's answer, as it is sent and as it is logged; ``by`` has whose each prediction of ``scored`` is.

    ``epoch`` is that of the traffic by which it was shared, None where none was ever set.
    """

    request_id: str
    asked: Asked
    time: datetime
    epoch: int | None
    scored: tuple[Scored, ...]
    by: tuple[By, ...]


def score(
    loaded: LoadedModel, instances: Sequence[Instance], standing: tuple[DegradedReason, ...]
) -> tuple[Scored, ...]:
    """One answer an instance, in order; ``standing`` are the reasons that hold for all of them.

    Who has no features, unknown or unreadable, gets the model's answer for a cold start.

    Raises:
        UnanswerableError: the model has no answer of its task for some of them.
    """
    with _features_seconds.time():
        rows = _rows(loaded, instances)
    with _score_seconds.time():
        return score_rows(loaded, instances, rows, standing)


def score_rows(
    loaded: LoadedModel,
    instances: Sequence[Instance],
    rows: Sequence[FeatureRow | None],
    standing: tuple[DegradedReason, ...],
) -> tuple[Scored, ...]:
    """As :func:`score`, of features that were read already; None where they could not be."""
    reasons = [DegradedReason.FEATURE_STORE_UNAVAILABLE if row is None else _reason(row) for row in rows]
    known = [
        (instance, row)
        for instance, row, reason in zip(instances, rows, reasons, strict=True)
        if row is not None and reason is None
    ]
    found = iter(_known_answers(loaded, known))
    return tuple(
        Scored(instance, next(found), row, (*standing, *_stale(row)))
        if reason is None
        else Scored(instance, loaded.cold, row, (*standing, reason), is_scored=False)
        for instance, row, reason in zip(instances, rows, reasons, strict=True)
    )


def _rows(loaded: LoadedModel, instances: Sequence[Instance]) -> Sequence[FeatureRow | None]:
    """The row of each instance."""
    try:
        return loaded.source.fetch(instances)
    except FeaturesUnavailableError:
        return [None] * len(instances)


def _reason(row: FeatureRow) -> DegradedReason | None:
    """Why it is not one to score."""
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


def _known_answers(loaded: LoadedModel, known: Sequence[tuple[Instance, FeatureRow]]) -> list[Fields]:
    if not known:
        return []
    found = answers(loaded.model, feature_matrix([row for _, row in known]))
    if unanswered := [instance for (instance, _), fields in zip(known, found, strict=True) if fields is None]:
        raise UnanswerableError(loaded.model, unanswered)
    return [fields for fields in found if fields is not None]

"""Which answers are not the model's is known below the server, too."""

from ml_modeling.registry.unscored import CHALLENGER_FAILED, STALE, UNSCORED
from model_serving.schemas import DegradedReason as Reason


def test_every_reason_but_those_of_a_scored_answer_is_one_for_a_cold_start() -> None:
    scored = {Reason.STALE_FEATURES, Reason.REGISTRY_UNAVAILABLE, Reason.CACHED_MODEL}
    assert str(Reason.STALE_FEATURES) == STALE
    answered = {str(reason) for reason in Reason} - {str(reason) for reason in scored}
    assert set(UNSCORED) == answered | {CHALLENGER_FAILED}

from datetime import timedelta

from model_serving.prediction_events import TOPIC, prediction_events
from tests.unit.model_serving.answers import AT, FINGERPRINT, answer
from tidemill.contracts import checker


def test_an_event_says_what_was_answered_and_from_what() -> None:
    first, second = prediction_events(answer(2))

    assert first["time"] == "2026-03-01T12:30:00.000000Z"
    assert first["data"] == {
        "request_id": "r-1",
        "use_case": "churn",
        "entity_id": "c-0",
        "score": 0.8,
        "decision": "leaves",
        "model_name": "churn",
        "model_version": "7",
        "model_alias": "champion",
        "model_run_id": "run",
        "model_id": "m-1",
        "features_as_of": "2026-02-28T00:00:00+00:00",
        "features_at": "2026-03-01T12:30:00.000017+00:00",
        "feature_service": "churn",
        "feature_fingerprint": FINGERPRINT,
        "entities": {"customer_id": "c-0"},
        "inputs": {},
        "applied": {"purchases": 5, "returns": -1},
        "features": {"recency_days": 8.0, "tenure_days": None},
        "degraded": [],
        "arm": "champion",
        "ms": 1.25,
        "challenger_failed": False,
    }
    assert second["data"]["features"] == {"recency_days": None, "tenure_days": None}
    assert second["data"]["features_as_of"] is None
    assert second["data"]["decision"] == "none"
    assert (second["data"]["features_at"], second["data"]["applied"]) == (None, {})
    assert second["data"]["degraded"] == ["feature_store_unavailable"]


def test_every_event_is_valid_under_the_contract() -> None:
    assert [checker(TOPIC).check(event) for event in prediction_events(answer(3))] == [None, None, None]


def test_a_request_sent_again_is_the_same_event_until_the_day_ends() -> None:
    def ids(request_id: str, later: timedelta = timedelta()) -> list[str]:
        return [event["id"] for event in prediction_events(answer(2, request_id, AT + later))]

    assert ids("r-1") == ids("r-1", timedelta(hours=1))
    assert len({*ids("r-1"), *ids("r-2"), *ids("r-1", timedelta(days=1))}) == 6

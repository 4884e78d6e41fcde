"""Tests in Python: `definitions` is the project's own, computed as training, stream and requests compute it."""

from datetime import UTC, datetime

from tidemill.projects.testing import Definitions

NOW = datetime(2026, 3, 20, 10, tzinfo=UTC)


def visit(day: int, seconds: float) -> dict:
    data = {"user_id": "u1", "page": "home", "platform": "web", "seconds": seconds}
    return {"time": datetime(2026, 3, day, 9, tzinfo=UTC), "data": data}


def test_a_visit_of_before_the_window_does_not_count(definitions: Definitions) -> None:
    given = {"app.visit.v1": [visit(2, 10.0), visit(19, 20.0)]}
    features = definitions.features("next_visits", given, at=NOW, entity={"user_id": "u1"})
    assert features["visits__seconds_sum_7d"] == 20.0
    assert features["visits__seconds_sum_28d"] == 30.0


def test_the_source_sends_what_the_contract_takes(definitions: Definitions) -> None:
    for number, event in enumerate(definitions.source("visits").events()):
        if number == 100:
            break
        assert definitions.rejection("app.visit.v1", event["data"]) is None

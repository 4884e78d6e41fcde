"""What a scoring is known by."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from batch_processing.scoring.scoring import Scoring, TableVersion
from batch_processing.scoring.window import Window
from ml_modeling.registry import ModelIdentity, Registered

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MODEL = Registered(name="churn", version="3", identity=ModelIdentity(run_id="r", model_id="m", digest="d"))
SCORING = Scoring("churn", Window.at(NOON), MODEL, "00ff", {"silver/transactions": TableVersion("t", 7)})


def other_model(**changed: str) -> Registered:
    return MODEL.model_copy(update={"identity": MODEL.identity.model_copy(update=changed)})


@pytest.mark.parametrize(
    "other",
    [
        replace(SCORING, use_case="fraud"),
        replace(SCORING, window=Window.at(NOON.replace(microsecond=1))),
        replace(SCORING, model=other_model(run_id="another")),
        replace(SCORING, model=other_model(model_id="another")),
        replace(SCORING, model=other_model(digest="another")),
        replace(SCORING, fingerprint="ff00"),
        replace(SCORING, sources={"silver/transactions": TableVersion("t", 8)}),
        replace(SCORING, sources={"silver/transactions": TableVersion("made anew", 7)}),
    ],
    ids=["use case", "time", "run", "model", "files", "features", "table version", "table"],
)
def test_another_of_what_it_follows_from_is_another_scoring(other: Scoring) -> None:
    assert other.id != SCORING.id


def test_the_same_model_under_another_number_is_the_same_scoring() -> None:
    again = replace(SCORING, model=MODEL.model_copy(update={"version": "4"}))
    assert again.id == SCORING.id


def test_it_replaces_rows_of_its_own_time_and_model_alone() -> None:
    assert SCORING.where == (
        "use_case = 'churn' AND scored_date >= DATE'2026-03-01' AND scored_date <= DATE'2026-03-01' "
        "AND scored_at >= TIMESTAMP'2026-03-01 12:00:00.000000+00:00' "
        "AND scored_at < TIMESTAMP'2026-03-01 12:00:00.000001+00:00' "
        "AND model_run_id = 'r' AND model_id = 'm'"
    )


def test_a_name_with_quotes_is_one_text() -> None:
    scoring = replace(SCORING, model=other_model(model_id="C:\\models\\it's"))
    assert scoring.where.endswith(r"AND model_id = 'C:\\models\\it\'s'")

"""What counts of the log, and what is usual, from a log of our own making."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from data_lake.delta_tables import create_table
from data_lake.tables import silver
from ml_modeling.registry import ModelIdentity, ServingSpec
from ml_modeling.replay.logged import PREDICTIONS
from monitoring.looks.columns import feature_definition, prediction_definition
from monitoring.looks.reference import beside
from monitoring.looks.served import Counts, Served, Window, served
from monitoring.profiles import UNIT, Kind, TableProfile
from tests.cases.answers_logged import logged
from tests.cases.lake import append_rows
from tidemill.config import Settings, load_settings

BEGIN = datetime(2026, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOW = Window(BEGIN, BEGIN + HOUR)
MODEL = ModelIdentity(run_id="run-1", model_id="m-1")
SPEC = ServingSpec(
    use_case="churn",
    feature_service="churn",
    feature_fingerprint="f",
    features=("age", "shop"),
    threshold=0.5,
    decisions=("stays", "churns"),
    cold_start_score=0.1,
)
DEFINITION = beside(
    TableProfile.empty(feature_definition(SPEC.features, ["shop"])), TableProfile.empty(prediction_definition(SPEC))
).definition


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"TIDEMILL_HOME": str(tmp_path)})


def ask(settings: Settings, *times: datetime, use_case: str = "churn", customer: str = "c", **said: object) -> None:
    create_table(silver(PREDICTIONS), settings)
    answer = {"features": [("shop", 7.0), ("age", 30.0)], "score": 0.25, **said}
    rows = [logged(use_case, f"e{customer}{at.timestamp()}", at, {"customer_id": customer}, **answer) for at in times]
    append_rows(settings, silver(PREDICTIONS), rows)


def look(settings: Settings, window: Window = WINDOW, *, once_each: bool = False) -> Served:
    return served(settings, SPEC, MODEL, window, DEFINITION, once_each=once_each)


def test_a_window_holds_its_begin_and_not_its_end(settings: Settings) -> None:
    ask(settings, BEGIN - timedelta(microseconds=1), BEGIN, WINDOW.end - timedelta(microseconds=1), WINDOW.end)
    seen = look(settings)
    assert seen.counts == Counts(answers=2, judged=2)
    assert seen.profile.latest == WINDOW.end - timedelta(microseconds=1)


def test_features_are_found_by_name_and_a_category_is_its_number(settings: Settings) -> None:
    ask(settings, BEGIN)
    ask(settings, BEGIN + HOUR / 2, features=[("shop", None), ("age", 40.0)])
    seen = look(settings)
    assert [column.kind for column in DEFINITION.columns] == [Kind.NUMERIC, Kind.CATEGORICAL, Kind.NUMERIC]
    age, shop, score = (seen.profile.columns[name] for name in ("age", "shop", "predicted score"))
    assert (age.quantiles.low, age.quantiles.high) == (30.0, 40.0)  # type: ignore[union-attr]
    assert (sum(shop.counts.values()), shop.missing) == (1, 1)  # type: ignore[union-attr]
    assert score.quantiles.low == 0.25  # type: ignore[union-attr]
    assert seen.sample.rows.sort_by("age")["shop"].to_pylist() == [7.0, None]


def test_of_each_customer_the_first_answer_that_counts_is_judged(settings: Settings) -> None:
    def minutes(*numbers: int) -> list[datetime]:
        return [BEGIN + number * timedelta(minutes=1) for number in numbers]

    ask(settings, *minutes(2, 5, 9), customer="b", score=0.2)
    ask(settings, *minutes(1), customer="a", model_id="m-0", score=0.9)
    ask(settings, *minutes(7), customer="a", score=0.7)
    ask(settings, *minutes(3), customer="a", score=0.3)
    ask(settings, *minutes(4), customer="c", degraded=["stale_features"], score=0.9)
    ask(settings, *minutes(8), customer="d", score=0.4)
    seen = look(settings, once_each=True)
    assert sorted(seen.sample.rows["predicted score"].to_pylist()) == [0.2, 0.3, 0.4]
    assert sorted(seen.sample.rows[UNIT].to_pylist()) == ["a", "b", "d"]
    assert (seen.counts, seen.counts.repeated) == (Counts(answers=8, judged=3, others=1, stale=1), 3)
    assert look(settings).counts == Counts(answers=8, judged=6, others=1, stale=1)


def test_volumes_are_of_whole_windows_since_somebody_asked_first(settings: Settings) -> None:
    for back, count in ((1, 3), (2, 1), (4, 2), (5, 6)):
        ask(settings, *(BEGIN - back * HOUR + number * timedelta(minutes=1) for number in range(count)))
    ask(settings, BEGIN - 2 * HOUR + HOUR / 2, use_case="fraud")
    ask(settings, BEGIN - 2 * HOUR + HOUR / 3, arm="shadow")
    assert look(settings).volumes == [3, 1, 0, 2]


def test_a_quiet_window_after_others_is_told_from_a_log_that_was_never_written(settings: Settings) -> None:
    never = look(settings)
    assert (never.counts, never.profile.latest, never.volumes) == (Counts(), None, ())
    ask(settings, BEGIN - HOUR / 2)
    quiet = look(settings)
    assert (quiet.counts, quiet.profile.rows, quiet.profile.latest) == (Counts(), 0, BEGIN - HOUR / 2)


def test_the_sample_is_bounded_and_of_judged_rows_only(settings: Settings) -> None:
    few = settings.model_copy(update={"drift": settings.drift.model_copy(update={"sample_rows": 200})})
    ask(few, *(BEGIN + number * timedelta(seconds=1) for number in range(300)))
    ask(few, *(BEGIN + number * timedelta(seconds=1) for number in range(50)), model_id="m-0", score=0.9)
    seen = look(few)
    assert (seen.sample.rows.num_rows, seen.sample.seen) == (200, 300)
    assert set(seen.sample.rows["predicted score"].to_pylist()) == {0.25}
    assert seen.sample.rows.schema.field("age").type == pa.float64()
    assert (seen.counts.answers, seen.counts.others, seen.profile.rows) == (350, 50, 350)

"""The soak's judge on a small table of silver: numbers counted by hand, and wrong answers that it must find."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from tests.soak.answered import Logged, micros
from tests.soak.features import Asked, expected
from tests.soak.judge import asked, differences, scores
from tests.soak.models import Model
from tests.soak.silver import Silver

NOW = datetime(2024, 6, 30, 12, 0, 0, 500, UTC)
AT = micros(NOW.isoformat())
ROWS = (
    # days ago, kind, order, product, quantity, unit price
    (0.5, "purchase", "o1", "p1", 2, "10.50"),
    (30.4, "purchase", "o2", "p1", 1, "100.00"),  # 30 days and to midnight before: in the window of 30 days
    (31.0, "purchase", "o3", "p2", 3, "1.00"),
    (400.0, "purchase", "o4", "p3", 1, "7.00"),
    (10.0, "return", "o2", "p1", 1, "100.00"),
    (-0.1, "purchase", "o5", "p4", 1, "50.00"),  # has not happened yet
)
RIGHT = {
    "purchases__time_since_last_all": 43200.0,
    "purchases__order_id_count_distinct_30d": 2,
    "purchases__order_id_count_distinct_90d": 3,
    "purchases__order_id_count_distinct_365d": 3,
    "purchases__amount_sum_30d": 121.0,
    "purchases__amount_sum_90d": 124.0,
    "purchases__amount_sum_365d": 124.0,
    "purchases__product_id_count_distinct_365d": 2,
    "returns__count_90d": 1,
    "returns__count_365d": 1,
    "basket_mean_365d": 124.0 / 3,
    "orders_share_90d": 1.0,
}
NOTHING = dict.fromkeys(RIGHT, 0) | dict.fromkeys(
    ("purchases__time_since_last_all", "basket_mean_365d", "orders_share_90d")
)


def table(rows: tuple[tuple[float, str, str, str, int, str], ...], customer: str, learnt: datetime) -> pa.Table:
    columns = {
        "customer_id": pa.array([customer] * len(rows)),
        "kind": pa.array([row[1] for row in rows]),
        "order_id": pa.array([row[2] for row in rows]),
        "product_id": pa.array([row[3] for row in rows]),
        "quantity": pa.array([row[4] for row in rows], pa.int64()),
        "unit_price": pa.array([Decimal(row[5]) for row in rows], pa.decimal128(18, 4)),
        "event_time": pa.array([NOW - timedelta(days=row[0]) for row in rows], pa.timestamp("us", "UTC")),
        "ingested_at": pa.array([learnt] * len(rows), pa.timestamp("us", "UTC")),
        "source": pa.array(["urn:shop"] * len(rows)),
        "event_id": pa.array([f"{customer}-{row[2]}-{row[1]}" for row in rows]),
    }
    return pa.table(columns)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Version 0 has a customer's events, 1 another's, 2 has lost the first one's, 3 has them again."""
    path = str(tmp_path / "silver")
    write_deltalake(path, table(ROWS, "c1", NOW - timedelta(hours=2)))
    write_deltalake(path, table(ROWS[:1], "c2", NOW - timedelta(hours=1)), mode="append")
    DeltaTable(path).delete("customer_id = 'c1'")
    DeltaTable(path).restore(1)
    return path


@pytest.fixture
def silver(folder: str) -> Silver:
    found = Silver(Path(folder))
    found.read()
    return found


def logged(**changes: object) -> Logged:
    answer = Logged(
        "event",
        "request",
        "c1",
        0.75,
        "churns",
        None,
        (),
        "m-1",
        "champion",
        AT,
        0,
        {"purchases": 3, "returns": 3},
        RIGHT,
    )
    return replace(answer, **changes)  # type: ignore[arg-type]


def wrong(silver: Silver, **changes: object) -> list[str]:
    answer = logged(**changes)
    return differences(answer, expected(silver, [asked(answer)])[0])


@pytest.mark.parametrize(("version", "right"), [(0, RIGHT), (1, RIGHT), (2, NOTHING), (3, RIGHT)])
def test_values_are_those_of_the_version_asked_about(silver: Silver, version: int, right: dict[str, float]) -> None:
    found = expected(silver, [Asked("c1", AT, version, version)])[0]
    assert found.values == pytest.approx(right, nan_ok=False)
    assert found.is_known == (right == RIGHT)


def test_each_group_is_asked_at_its_own_version(silver: Silver) -> None:
    found = expected(silver, [Asked("c1", AT, 2, 3)])[0]
    assert found.values == NOTHING | {"returns__count_90d": 1, "returns__count_365d": 1}


def test_an_event_is_heard_of_by_a_group_whose_filters_it_does_not_pass(silver: Silver) -> None:
    found = expected(silver, [Asked("c2", AT, 0, 1)])[0]
    assert (found.is_known, found.values) == (True, NOTHING)


def test_answers_keep_their_order(silver: Silver) -> None:
    found = expected(silver, [Asked("nobody", AT, 3, 3), Asked("c1", AT, 3, 3), Asked("c2", AT, 0, 0)])
    assert [one.is_known for one in found] == [False, True, False]


def test_a_right_answer_has_nothing_wrong(silver: Silver) -> None:
    assert wrong(silver) == []
    assert wrong(silver, customer="nobody", features=NOTHING, degraded=("cold_start",)) == []


@pytest.mark.parametrize(
    "features",
    [
        RIGHT | {"purchases__amount_sum_90d": 124.001},
        RIGHT | {"returns__count_90d": None},
        RIGHT | {"another": 1.0},
        {name: value for name, value in RIGHT.items() if name != "orders_share_90d"},
        NOTHING,
    ],
    ids=["a sum that is off", "nothing where there is a number", "one too many", "one too few", "a lost state"],
)
def test_a_wrong_value_is_found(silver: Silver, features: dict[str, float]) -> None:
    assert wrong(silver, features=features)


def test_a_state_of_before_the_commit_that_it_names_is_found(silver: Silver) -> None:
    assert wrong(silver, applied={"purchases": 2, "returns": 2})


def test_a_known_customer_is_no_cold_start(silver: Silver) -> None:
    assert wrong(silver, features=NOTHING, degraded=("cold_start",))
    assert wrong(silver, degraded=("cold_start",)) == ["a cold start: True, silver knows the customer: True"]


def test_a_claim_to_have_all_that_was_learnt_is_held_against_when_it_came(silver: Silver) -> None:
    learnt = micros((NOW - timedelta(hours=1)).isoformat())
    of_c2 = {"customer": "c2", "features": NOTHING, "degraded": ("cold_start",)}
    at_0 = {"purchases": 0, "returns": 0}
    assert wrong(silver, **of_c2, applied=at_0, until=learnt - 1) == []
    assert len(wrong(silver, **of_c2, applied=at_0, until=learnt)) == 1
    # What was deleted and restored is no news.
    assert wrong(silver, until=AT) == []


def test_customers_are_those_of_whom_silver_has_an_event_now(silver: Silver, folder: str) -> None:
    assert silver.customers() == ["c1", "c2"]
    DeltaTable(folder).delete("customer_id = 'c2'")
    silver.read()
    assert silver.customers() == ["c1"]


def test_a_commit_that_comes_later_is_taken_in(silver: Silver, folder: str) -> None:
    before = silver.last_change
    write_deltalake(folder, table(ROWS[:1], "c3", NOW), mode="append")
    silver.read()
    assert silver.last_change == before + 1
    assert expected(silver, [Asked("c3", AT, before + 1, before + 1)])[0].is_known


def test_merged_files_change_no_answer(silver: Silver, folder: str) -> None:
    before = silver.last_change
    DeltaTable(folder).optimize.compact()
    silver.read()
    assert silver.last_change == before
    assert expected(silver, [Asked("c1", AT, before + 1, before + 1)])[0].values == pytest.approx(RIGHT)


class Predictor:
    """Stands in for a loaded model: its score is a share of what was spent."""

    class metadata:  # noqa: N801 - as MLflow calls it
        class signature:  # noqa: N801
            class inputs:  # noqa: N801
                @staticmethod
                def input_names() -> list[str]:
                    return list(RIGHT)

    @staticmethod
    def predict(rows: object) -> np.ndarray:  # type: ignore[type-arg]
        positive = rows["purchases__amount_sum_365d"].to_numpy() / 1000  # type: ignore[index]
        return np.stack([1 - positive, positive], axis=1)


MODEL = Model(
    "1",
    "m-1",
    Predictor(),
    {"threshold": 0.1, "decisions": ["stays", "churns"], "cold_start_score": 0.2, "cold_start_decision": None},
)


def told(**changes: object) -> list[str]:
    found = scores([logged(**changes)], {"m-1": MODEL})
    return [text for _, texts in found for text in texts]


def test_a_score_is_that_of_the_model_that_is_named() -> None:
    assert told(score=0.124) == []
    assert told(score=0.125)
    assert told(score=0.124, decision="stays")
    assert told(score=0.124, model_id="another") == ["its model another is none of those that were registered"]


def test_a_cold_start_is_answered_as_the_model_declares() -> None:
    cold = {"degraded": ("cold_start",), "features": NOTHING}
    assert told(score=0.2, decision="none", **cold) == []
    assert told(score=0.2, decision="churns", **cold)

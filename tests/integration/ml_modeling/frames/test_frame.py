"""The training frame, read from a small lake by Spark, against the same frame counted in plain Python."""

import math
import random
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal
from pyspark.sql import SparkSession

from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from ml_modeling.frames.cutoffs import HistoryTooShortError
from ml_modeling.frames.frame import NoDataError, read_split_frame
from ml_modeling.questions import Tables, sampled
from ml_modeling.questions.cutoffs import labelled_at_cutoffs
from ml_modeling.use_case import load_use_case
from tests.cases.lake import append_rows
from tests.cases.naive_windows import Happened, naive_value
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings

CHURN = load_use_case("churn")
FIRST = date(2026, 1, 1)
DAYS = 340
END = FIRST + timedelta(days=DAYS)
MONDAYS = [day for day in (FIRST + timedelta(days=n) for n in range(DAYS)) if day.weekday() == 0]

Append = Callable[[str, Iterable[dict[str, object]]], None]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"home": tmp_path})


@pytest.fixture
def append(spark: SparkSession, lake: Settings) -> Append:
    """Appends rows, by column, to a table of the lake."""

    def commit(name: str, rows: Iterable[dict[str, object]]) -> None:
        ensure_table(spark, table(name), lake)
        append_rows(lake, table(name), rows)

    return commit


def shop(seed: int, days: int = DAYS) -> list[Line]:
    """Forty customers who buy at their own pace, some at midnight; returns; guests; one on the last day."""
    rng = random.Random(seed)
    lines = [line("c0", FIRST + timedelta(days=days), hour=12)]
    for number in range(40):
        day = FIRST + timedelta(days=rng.randrange(30))
        while day < FIRST + timedelta(days=days):
            who = None if rng.random() < 0.1 else f"c{number}"
            kind = "return" if rng.random() < 0.2 else "purchase"
            lines.append(line(who, day, hour=rng.choice([0, 0, 23]), kind=kind))
            day += timedelta(days=1 + int(rng.expovariate(1 / (5 + 4 * number))))
    return lines


def line(customer: str | None, day: date, hour: int, kind: str = "purchase") -> Line:
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return Line(at, customer, f"o-{customer}-{day}", "p", 1, Decimal("2.5"), kind)


def expected_labels(lines: list[Line], cutoffs: Iterable[date]) -> dict[tuple[str, date], int]:
    """The label by its definition, on exact times."""
    labels = {}
    bought = [line for line in lines if line.kind == "purchase" and line.customer_id]
    for cutoff in cutoffs:
        moment = datetime(cutoff.year, cutoff.month, cutoff.day, tzinfo=UTC)
        before = {b.customer_id for b in bought if moment - CHURN.question.active <= b.at < moment}
        after = {b.customer_id for b in bought if moment <= b.at < moment + CHURN.question.horizon}
        labels |= {(customer, cutoff): int(customer not in after) for customer in before}
    return labels


def micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def happened(lines: list[Line], customers: list[str]) -> list[Happened]:
    """The same lines for the judge of windows."""
    return [
        Happened(
            customers.index(one.customer_id),
            micros(one.at),
            number,
            {
                "kind": one.kind,
                "amount": float(one.quantity * one.unit_price),
                "order_id": one.order_id,
                "product_id": "p",
            },
            micros(one.at),
        )
        for number, one in enumerate(lines)
        if one.customer_id
    ]


@pytest.mark.parametrize("seed", range(2))
def test_labels_are_those_counted_one_by_one(spark, append, lake, seed):
    lines = shop(seed)
    append("silver/transactions", [silver_row(line) for line in lines])
    cutoffs = MONDAYS[4::6]
    tables = Tables.of(spark, lake, CHURN.question, CHURN.service)
    rows = labelled_at_cutoffs(tables, CHURN.question, cutoffs).collect()
    found = {(row["customer_id"], row["event_timestamp"].date()): row["label"] for row in rows}
    assert len(found) == len(rows)
    assert found == expected_labels(lines, cutoffs)
    assert set(found.values()) == {0, 1}


def test_a_frame_that_is_too_large_loses_whole_customers(spark):
    spine = spark.createDataFrame([(f"c{n % 500}", n) for n in range(5_000)], "customer_id string, n int")
    kept = sampled(spine, "customer_id", 1_000)
    counts = kept.groupBy("customer_id").count().collect()
    assert {row["count"] for row in counts} == {10}
    assert 700 < kept.count() < 1_300
    assert sampled(spine, "customer_id", 5_000) is spine


def test_the_frame_holds_each_cutoffs_own_features_and_labels(spark, append, lake):
    lines = shop(seed=7)
    wrong_year = line("c1", date(2001, 5, 5), hour=3, kind="return")
    customers = sorted({line.customer_id for line in lines if line.customer_id})
    append("silver/transactions", [silver_row(line) for line in [*lines, wrong_year]])
    data = read_split_frame(spark, lake, CHURN, END)
    assert (data.events.first, data.events.end) == (min(line.day for line in lines), END)
    assert data.events.left_out == f"1 before {data.events.first} (from 2001-05-05 on)"
    assert data.table_versions == {"silver/transactions": 1}
    rows = data.frame.rows
    found = {(row.entity, row.time.date()): row.label for row in rows.itertuples()}
    assert found == expected_labels(lines, data.split.all)
    history = happened([*lines, wrong_year], customers)
    asked = rows.sample(20, random_state=1)
    for group in CHURN.service.groups:
        for feature in group.features:
            for row in asked.itertuples():
                at = row.time.tz_localize(UTC).to_pydatetime()
                expected = naive_value(feature, history, customers.index(row.entity), micros(at))
                found = getattr(row, feature.name)
                assert found == pytest.approx(math.nan if expected is None else expected, nan_ok=True), feature.name


def test_a_frame_names_the_version_of_silver_it_was_read_at(spark, append, lake):
    lines = shop(seed=3)
    append("silver/transactions", [silver_row(line) for line in lines])
    before = read_split_frame(spark, lake, CHURN, END)
    append("silver/transactions", [silver_row(line("c1", FIRST + timedelta(days=100), hour=3))])
    after = read_split_frame(spark, lake, CHURN, END)
    assert after.table_versions["silver/transactions"] == before.table_versions["silver/transactions"] + 1


def test_a_missing_table_is_named(spark, lake):
    with pytest.raises(NoDataError, match="no table silver/transactions"):
        read_split_frame(spark, lake, CHURN, END)


def test_an_empty_lake_says_what_fills_it(spark, append, lake):
    append("silver/transactions", [])
    with pytest.raises(NoDataError, match="silver/transactions has no row: feed events first"):
        read_split_frame(spark, lake, CHURN, END)


def test_a_short_history_is_said_to_be_short(spark, append, lake):
    append("silver/transactions", [silver_row(line) for line in shop(seed=1, days=150)])
    with pytest.raises(HistoryTooShortError, match="history too short for the split"):
        read_split_frame(spark, lake, CHURN, END)


def test_a_window_leaves_out_early_cutoffs_and_changes_no_row_of_the_others(spark, append, lake):
    append("silver/transactions", [silver_row(line) for line in shop(seed=5)])
    whole, rolling = (
        read_split_frame(spark, lake, use_case, END) for use_case in (CHURN, CHURN.within(timedelta(days=300)))
    )
    begin = END - timedelta(days=300)
    assert min(whole.split.all) < begin <= min(rolling.split.all)
    kept = whole.frame.rows[whole.frame.rows["time"].dt.date >= begin]
    order = ["time", "entity"]
    assert_frame_equal(
        kept.sort_values(order, ignore_index=True), rolling.frame.rows.sort_values(order, ignore_index=True)
    )

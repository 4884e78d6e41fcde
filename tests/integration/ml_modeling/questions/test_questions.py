"""The labels that Spark makes of silver, against the same labels counted in plain Python."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import commits
from data_lake.delta_tables import ensure_table
from data_lake.tables import table
from feature_store.definitions import (
    Absence,
    Classes,
    Entity,
    FutureAggregate,
    Number,
    Outcome,
    Own,
    Product,
    Source,
    Threshold,
    column,
    count,
    days,
)
from ml_modeling.frames.examples import KEY, LABEL
from ml_modeling.frames.frame import read_split_frame
from ml_modeling.frames.splits import Part
from ml_modeling.questions import MATURED, QuestionError, Tables
from ml_modeling.questions.cutoffs import labelled_at_cutoffs
from ml_modeling.questions.events import labelled_events, verdicts
from ml_modeling.use_case import load_use_case
from tests.cases.lake import append_rows
from tests.cases.naive_questions import midnight, naive_cutoffs, naive_outcome, naive_part
from tests.cases.silver_rows import payment, row, verdict
from tests.cases.transactions import Line, silver_row
from tidemill.config import Settings
from use_cases.churn.features import SERVICE as CHURN_FEATURES
from use_cases.fraud.features import SERVICE as FRAUD_FEATURES

CUSTOMER = Entity("customer", "customer_id")
LINES = Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),))
ACTIVE, HORIZON = days(10), days(7)
CUTOFFS = [date(2026, 1, 15), date(2026, 1, 20), date(2026, 2, 2)]
amount, kind, country, product = column("amount"), column("kind"), column("country"), column("product_id")
FRAUD = load_use_case("fraud")


def future(aggregation: Any, answer: Any = None, filters: Any = (kind == "purchase",)) -> FutureAggregate:
    return FutureAggregate(CUSTOMER, LINES, aggregation, ACTIVE, HORIZON, answer or Number(), filters)


QUESTIONS = {
    "absence": Absence(CUSTOMER, LINES, ACTIVE, HORIZON, (kind == "purchase",)),
    "absence of large ones": Absence(CUSTOMER, LINES, ACTIVE, HORIZON, (kind == "purchase", amount >= 20)),
    "absence of any": Absence(CUSTOMER, LINES, ACTIVE, HORIZON),
    "sum": future(amount.sum()),
    "count": future(count(), filters=(column("quantity").is_in(1, 2, 3),)),
    "mean of some": future(amount.mean(), filters=(amount > 15.5,)),
    "distinct above": future(product.count_distinct(), Threshold(at_least=2)),
    "classes": future(amount.sum(), Classes(("none", "some", "much"), edges=(0.01, 30))),
    "largest without a description": future(amount.max(), filters=(column("description").is_null(),)),
}

IN_CI = ("absence of large ones", "classes")


@pytest.fixture(scope="module")
def lake(spark: SparkSession, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return settings.model_copy(update={"home": tmp_path_factory.mktemp("lake")})


@pytest.fixture(scope="module")
def append(spark: SparkSession, lake: Settings) -> Callable[[str, Iterable[dict[str, Any]]], None]:
    def commit(name: str, rows: Iterable[dict[str, Any]]) -> None:
        ensure_table(spark, table(name), lake)
        append_rows(lake, table(name), rows)

    return commit


@pytest.fixture(scope="module")
def lines(append: Callable[..., None]) -> list[dict[str, Any]]:
    """Few customers, whose lines lie at, just before and just after every bound that counts."""
    rng = random.Random(5)
    bounds = [midnight(day) + shift for day in CUTOFFS for shift in (-ACTIVE, timedelta(0), HORIZON)]
    rows = []
    for _ in range(900):
        at = rng.choice(bounds) + timedelta(microseconds=rng.choice((-1, 0, 1)))
        if rng.random() < 0.6:
            at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(50 * 86_400))
        who = rng.choice([None, *(f"c{number}" for number in range(60))])
        what, units = rng.choices(["purchase", "return"], [8, 2])[0], rng.randrange(1, 6)
        price = Decimal(rng.randrange(0, 120_000)).scaleb(-4)
        rows.append(silver_row(Line(at, who, f"o{rng.randrange(99)}", f"p{rng.randrange(5)}", units, price, what)))
    append("silver/transactions", rows)
    return [{**row, "amount": float(row["quantity"] * row["unit_price"])} for row in rows]


@pytest.mark.parametrize(
    "name", [name if name in IN_CI else pytest.param(name, marks=pytest.mark.matrix) for name in QUESTIONS]
)
def test_labels_at_cutoffs_are_those_counted_one_by_one(
    spark: SparkSession, lake: Settings, lines: list[dict[str, Any]], name: str
) -> None:
    question = QUESTIONS[name]
    tables = Tables.of(spark, lake, question, CHURN_FEATURES)
    rows = labelled_at_cutoffs(tables, question, CUTOFFS).collect()
    found = {(row["customer_id"], row["event_timestamp"].date()): row for row in rows}
    expected = naive_cutoffs(question, lines, CUTOFFS)
    assert len(found) == len(rows)
    assert found.keys() == expected.keys()
    assert len({one.label for one in expected.values()}) > 1
    for key, one in expected.items():
        assert found[key][LABEL] == pytest.approx(one.label, rel=1e-9), key
        assert found[key][MATURED].replace(tzinfo=UTC) == one.matured


@pytest.fixture(scope="module")
def cards(append: Callable[..., None]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Ninety days of payments; verdicts come after a day to a month, some twice, some never, some too early."""
    rng, first = random.Random(7), datetime(2026, 1, 1, tzinfo=UTC)
    payments, verdicts = [], []
    for number in range(3_000):
        at = first + timedelta(seconds=rng.randrange(90 * 86_400))
        parties = {
            "transaction_id": f"P{number}",
            "customer_id": f"C{rng.randrange(40)}",
            "terminal_id": f"T{rng.randrange(20)}",
        }
        payments.append(payment(f"p{number}", at, parties, Decimal(rng.randrange(1, 30_000)).scaleb(-2)))
        if rng.random() < 0.02:
            payments.append(payment(f"p{number}-again", at + timedelta(hours=rng.randrange(3)), parties, Decimal(1)))
        for again in range(rng.choices([0, 1, 2], [5, 90, 5])[0]):
            delay = timedelta(days=rng.choice([1, 5, 6, 7, 7, 7, 7, 7, 7, 30]), seconds=rng.randrange(3))
            later = -timedelta(hours=2) if rng.random() < 0.01 else delay
            verdicts.append(verdict(f"v{number}-{again}", at + later, parties, rng.random() < 0.3))
    append("silver/card_transactions", payments)
    append("silver/card_verdicts", verdicts)
    return payments, verdicts


def outcomes(spark: SparkSession, lake: Settings) -> DataFrame:
    return labelled_events(Tables.of(spark, lake, FRAUD.question, FRAUD.service), FRAUD.question, FRAUD.service)


def test_outcomes_are_what_the_first_verdict_says_from_its_own_time_on(
    spark: SparkSession, lake: Settings, cards: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    rows = outcomes(spark, lake).collect()
    found = {row[KEY]: row for row in rows}
    assert isinstance(FRAUD.question, Outcome)
    expected = naive_outcome(FRAUD.question, *cards)
    amounts = {event["transaction_id"]: event["amount"] for event in reversed(cards[0])}
    assert len(found) == len(rows)
    assert found.keys() == expected.keys()
    assert 0.9 * 3_000 < len(expected) < 0.97 * 3_000
    for key, one in expected.items():
        row = found[key]
        at, matured = (row[name].replace(tzinfo=UTC) for name in ("event_timestamp", MATURED))
        assert (at, matured, row[LABEL]) == (one.at, one.matured, one.label)
        assert row["amount"] == amounts[key]


def test_each_part_has_the_labels_that_were_known_before_the_next_began(
    spark: SparkSession, lake: Settings, cards: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    periods = FRAUD.periods.model_copy(update={"matured_share": 0.85})
    use_case = replace(FRAUD, spec=FRAUD.spec.model_copy(update={"periods": periods}))
    data = read_split_frame(spark, lake, use_case, date(2026, 3, 25))
    split = data.split
    expected = naive_outcome(FRAUD.question, *cards)
    at_once = {
        key: one.__class__(one.at, one.label, one.at + timedelta(microseconds=1)) for key, one in expected.items()
    }
    assert split.described()["period.embargo_days"] == "8"
    bounds = {Part.TRAIN: split.validation.begin, Part.VALIDATION: split.test.begin, Part.FIT: split.test.begin}
    for part in Part:
        period = split.parts[part]
        known_by = midnight(bounds.get(part, date(2026, 3, 25)))
        rows = data.frame.rows_of(split, part)
        found = dict(zip(rows[KEY], rows[LABEL], strict=True))
        assert found == naive_part(expected, period.begin, period.end, known_by), part
        if part in bounds:
            assert found.keys() < naive_part(at_once, period.begin, period.end, known_by).keys()


def test_what_has_no_event_time_yet_is_not_the_first_of_its_key(
    spark: SparkSession, lake: Settings, append: Callable[..., None]
) -> None:
    planned, first, later = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 8, 9))
    append(
        "silver/promotions",
        [
            row(name, planned, promotion_id="SPRING-12", discount_percent=percent, starts_at=planned, ends_at=ends)
            for name, percent, ends in [("a", Decimal(10), None), ("b", Decimal(30), later), ("c", Decimal(20), first)]
        ],
    )
    ended = Source("silver/promotions", event_time="ends_at")
    question = replace(FRAUD.question, of=ended, key="promotion_id", label="discount_percent", answer=Number())
    tables = Tables(spark, lake, {"silver/promotions": commits.current_version(table("silver/promotions"), lake)})

    (said,) = verdicts(tables, question).collect()
    assert (said[KEY], said[LABEL], said[MATURED].replace(tzinfo=UTC)) == ("SPRING-12", 20.0, first)


def ready(payments: DataFrame, verdicts: DataFrame) -> DataFrame:
    """Whether the terminal had another verdict within a day of the payment, known a day later."""
    terminals = verdicts.select("terminal_id", F.col("event_time").alias("told")).distinct()
    within = (F.col("told") > F.col("event_time")) & (F.col("told") <= F.col("event_time") + F.expr("INTERVAL 1 DAY"))
    asked = payments.dropDuplicates(["event_id"]).withColumn("row_key", F.col("event_id"))
    joined = asked.join(terminals, (asked["terminal_id"] == terminals["terminal_id"]) & within, "left")
    return (
        joined.groupBy("row_key", asked["customer_id"], asked["terminal_id"], "amount", "event_time")
        .agg(F.max(F.col("told").isNotNull()).alias("label"))
        .select(
            "row_key",
            "customer_id",
            "terminal_id",
            "amount",
            F.col("event_time").alias("event_timestamp"),
            "label",
            (F.col("event_time") + F.expr("INTERVAL 1 DAY")).alias("matured_at"),
        )
    )


def too_early(payments: DataFrame, verdicts: DataFrame) -> DataFrame:
    return ready(payments, verdicts).withColumn("matured_at", F.col("event_timestamp"))


def without_a_column(payments: DataFrame, verdicts: DataFrame) -> DataFrame:
    return ready(payments, verdicts).drop("amount")


def own(rows: Callable[..., DataFrame], answer: Any = FRAUD.question.answer) -> Own:
    return Own(FRAUD.question.entity, (FRAUD.question.events, FRAUD.question.of), rows, answer)


def test_a_questions_own_function_makes_the_rows(
    spark: SparkSession, lake: Settings, cards: tuple[list[dict[str, Any]], list[dict[str, Any]]]
) -> None:
    tables = Tables.of(spark, lake, own(ready), FRAUD_FEATURES)
    found = {row[KEY]: row[LABEL] for row in labelled_events(tables, own(ready), FRAUD_FEATURES).collect()}
    payments, verdicts = cards
    told: dict[str, list[datetime]] = {}
    for one in verdicts:
        told.setdefault(one["terminal_id"], []).append(one["event_time"])
    assert found == {
        one["event_id"]: any(
            one["event_time"] < time <= one["event_time"] + timedelta(days=1) for time in told[one["terminal_id"]]
        )
        for one in payments
    }


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (own(too_early), r"too_early: the label of row '.*' is known at .*, not after the row is asked about"),
        (own(without_a_column), r"without_a_column returns no column amount; it has row_key"),
        (own(ready, Classes(("a", "b", "c"))), r"ready: label is boolean, and Classes takes a number, if it has edges"),
    ],
    ids=["known too early", "a column is missing", "another type"],
)
def test_what_an_own_function_lacks_is_said_by_its_name(
    spark: SparkSession, lake: Settings, cards: object, question: Own, message: str
) -> None:
    tables = Tables.of(spark, lake, question, FRAUD_FEATURES)
    with pytest.raises(QuestionError, match=message):
        labelled_events(tables, question, FRAUD_FEATURES)


def test_a_filter_that_compares_a_text_with_a_number_is_named(
    spark: SparkSession, lake: Settings, lines: object
) -> None:
    question = Absence(CUSTOMER, LINES, ACTIVE, HORIZON, (country == 3,))
    with pytest.raises(QuestionError, match="filter on country: a column of string is not compared with 3"):
        labelled_at_cutoffs(Tables.of(spark, lake, question, CHURN_FEATURES), question, CUTOFFS)

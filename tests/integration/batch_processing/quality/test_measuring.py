"""What Spark measures of dates, against plain Python over the same lines."""

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from pyspark.sql import DataFrame, SparkSession

from batch_processing.quality.measuring import age, measure, read_rows, rows_by_date
from batch_processing.quality.observing import Measured, Unmeasured
from data_lake import commits
from data_lake.expectations import Expectation, Suite, SuiteError
from data_lake.tables import table
from tests.cases.transactions import Line, random_lines
from tests.integration.batch_processing.conftest import AppendLines
from tidemill.config import Settings

TRANSACTIONS = "silver/transactions"
FIRST = date(2026, 3, 2)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
KINDS: Mapping[str, Mapping[str, Any]] = {
    "guests": {"kind": "null_share", "column": "customer_id", "max": 0.5},
    "once": {"kind": "unique", "columns": ["order_id", "product_id"], "days": 3},
    "guests_once": {"kind": "unique", "columns": ["customer_id"], "days": 0},
    "known": {"kind": "known", "column": "customer_id", "table": TRANSACTIONS, "as": "order_id"},
    "absent": {"kind": "known", "column": "product_id", "table": "silver/clicks"},
    "middle": {"kind": "distribution", "of": "quantity * unit_price", "quantiles": [0.5]},
    "value": {"kind": "measure", "sql": "sum(quantity * unit_price)", "min": 0},
    "age": {"kind": "freshness", "within_h": 1},
}


def suite_of(kinds: Mapping[str, Mapping[str, Any]]) -> Suite:
    adapter: TypeAdapter[Any] = TypeAdapter(Expectation)
    made = {name: adapter.validate_python(kind) for name, kind in kinds.items()}
    return Suite("it", Path("it.yaml"), TRANSACTIONS, "", made, "digest")


def rows_now(spark: SparkSession, lake: Settings) -> DataFrame:
    return read_rows(spark, lake, TRANSACTIONS, commits.current_version(table(TRANSACTIONS), lake))


def by_day(lines: Sequence[Line]) -> Mapping[date, list[Line]]:
    days = defaultdict(list)
    for line in lines:
        days[line.day].append(line)
    return days


def is_again(line: Line, lines: Sequence[Line], names: Sequence[str], days: int) -> bool:
    """Whether another line so near has the same values; by looking at each."""
    key = [getattr(line, name) for name in names]
    near = (other for other in lines if abs((other.day - line.day).days) <= days and other is not line)
    return any([getattr(other, name) for name in names] == key for other in near)


def share(flags: Sequence[bool]) -> float | None:
    return sum(flags) / len(flags) if flags else None


def naive(day: date, lines: Sequence[Line]) -> dict[str, float | None]:
    """What is to be measured of a day, but its quantile."""
    own = [line for line in lines if line.day == day]
    with_customer = [line for line in own if line.customer_id is not None]
    orders = {line.order_id for line in lines}
    return {
        "guests": share([line.customer_id is None for line in own]),
        "once": share([is_again(line, lines, ["order_id", "product_id"], 3) for line in own]),
        "guests_once": share([is_again(line, lines, ["customer_id"], 0) for line in with_customer]),
        "known": share([line.customer_id not in orders for line in with_customer]),
        "absent": None,
        "value": float(sum((line.value for line in own), Decimal())) if own else None,
    }


def measured(day: Measured) -> dict[str, float | None]:
    return {name: day.number(f"it:{name}") for name in naive(FIRST, [])}


def test_what_is_measured_is_what_plain_python_counts(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    lines = random_lines(random.Random(3), 120, FIRST, 12)
    lines[:6] = [replace(line, customer_id=line.order_id) for line in lines[:6]]
    append(lines)
    rows = rows_now(spark, lake)
    days = [FIRST + timedelta(days=number) for number in (0, 5, 6, 11, 40)]
    found = measure(lake, rows, [suite_of(KINDS)], days, age(rows, NOW))
    assert {day: found[day].rows for day in days} == {day: len(by_day(lines)[day]) for day in days}
    for day in days:
        assert measured(found[day]) == pytest.approx(naive(day, lines), nan_ok=True), day
    assert found[days[0]].values["it:absent"] == Unmeasured("there is no silver/clicks yet")
    values = sorted(line.value for line in by_day(lines)[days[1]])
    (middle,) = found[days[1]].numbers("it:middle") or ()
    assert middle in {float(value) for value in values[len(values) // 2 - 1 : len(values) // 2 + 1]}
    newest = max(line.at for line in lines)
    assert found[newest.date()].number("it:age") == pytest.approx((NOW - newest) / timedelta(hours=1))
    assert rows_by_date(rows, None) == Counter(line.day for line in lines)


def test_what_is_stamped_ahead_does_not_make_a_table_fresh(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    yesterday, later, tomorrow = (now + timedelta(hours=hours) for hours in (-20, 3, 30))
    append([Line(at, "c", f"o{at}", "p", 1, Decimal(1)) for at in (yesterday, later, tomorrow)])
    rows = rows_now(spark, lake)
    assert age(rows, now) == {yesterday.date(): 20}
    assert age(rows, now + timedelta(hours=4)) == {later.date(): 1}
    assert age(rows, yesterday - timedelta(days=9)) == {}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (
            {"kind": "measure", "sql": "sum(price)", "min": 0},
            r"it\.yaml: expectations\.it: Spark refuses it: .*`price`",
        ),
        ({"kind": "measure", "sql": "quantity", "min": 0}, r"it\.yaml: expectations\.it: Spark refuses it: .*quantity"),
        ({"kind": "distribution", "of": "quantity +"}, r"it\.yaml: expectations\.it: Spark refuses it: "),
    ],
    ids=["no such column", "no aggregate", "no expression"],
)
def test_sql_that_spark_refuses_is_named_by_file_and_key(
    spark: SparkSession, lake: Settings, append: AppendLines, kind: Mapping[str, Any], says: str
) -> None:
    append([])
    with pytest.raises(SuiteError, match=says):
        measure(lake, rows_now(spark, lake), [suite_of({"it": kind})], [FIRST], {})

"""Gold tables as declarations: those of a lake that jobs of before wrote, a project's own, and queries that fail."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from batch_processing import daily
from data_lake import commits
from data_lake.delta_tables import create_table
from data_lake.gold import GoldTableError, gold_table
from data_lake.table import Table
from data_lake.tables import silver, silver_columns, table
from tests.cases.lake import append_rows
from tests.integration.batch_processing.conftest import AppendLines
from tests.integration.batch_processing.test_gold import line
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.contracts.registry import read_contract
from tidemill.projects.new import new

OF_BEFORE = """
CREATE TABLE delta.`{path}` (
    event_date DATE NOT NULL, customer_id STRING NOT NULL, currency STRING NOT NULL, order_ids ARRAY<STRING> NOT NULL,
    product_ids ARRAY<STRING> NOT NULL, units_bought BIGINT NOT NULL, units_returned BIGINT NOT NULL,
    gross_value DECIMAL(38,4) NOT NULL, returned_value DECIMAL(38,4) NOT NULL, net_value DECIMAL(38,4) NOT NULL,
    event_month STRING NOT NULL
) USING delta PARTITIONED BY (event_month) TBLPROPERTIES (delta.enableChangeDataFeed = true)
"""
ROW_OF_BEFORE = """
SELECT DATE'2011-01-03' AS event_date, 'a' AS customer_id, 'GBP' AS currency, array('a-2011-01-03') AS order_ids,
    array('p') AS product_ids, 2L AS units_bought, 0L AS units_returned, CAST(2.5 AS DECIMAL(38,4)) AS gross_value,
    CAST(0 AS DECIMAL(38,4)) AS returned_value, CAST(2.5 AS DECIMAL(38,4)) AS net_value, '2011-01' AS event_month
"""


def test_a_table_that_the_job_of_before_wrote_goes_on_from_its_note(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    append([line("2011-01-03", "a")])
    source, target = silver("shop.transaction.v1"), table("gold/customer_daily")
    spark.sql(OF_BEFORE.format(path=target.path(lake)))
    version, identity = commits.current_version(source, lake), commits.table_id(source, lake)
    note = (
        '{"tidemill": {"parameters": {"revision": 1}, "source": "silver/transactions", '
        f'"source_id": "{identity}", "source_version": {version}}}}}'
    )
    rows = spark.sql(ROW_OF_BEFORE).write.format("delta").mode("overwrite").option("userMetadata", note)
    rows.save(target.path(lake))
    before = commits.current_version(target, lake)

    still = daily.refresh(spark, lake, gold_table("customer_daily"), full=False)
    assert (still.rows, still.dates, still.reason) == (0, 0, f"silver/transactions is still at version {version}")
    append([line("2011-01-05", "b")])
    done = daily.refresh(spark, lake, gold_table("customer_daily"), full=False)
    assert (done.rows, done.dates) == (1, 1)
    assert commits.current_version(target, lake) == before + 1  # nothing of the table itself had to change
    found = DeltaTable(target.path(lake)).to_pyarrow_table().to_pylist()
    assert sorted((row["event_date"], row["customer_id"]) for row in found) == [
        (date(2011, 1, 3), "a"),
        (date(2011, 1, 5), "b"),
    ]


def test_days_without_a_row_are_made_once(spark: SparkSession, lake: Settings, append: AppendLines) -> None:
    """Delta leaves out a commit that changes no row, and the note with it: each run read all of silver anew."""
    usual = gold_table("customer_daily")
    large = replace(usual, query=usual.query.replace("WHERE customer_id", "WHERE quantity > 1000 AND customer_id"))
    assert large.query != usual.query

    def done() -> tuple[int, int | None]:
        outcome = daily.refresh(spark, lake, large, full=False)
        return outcome.rows, outcome.dates

    append([line("2011-01-03", "a")])
    assert [done(), done()] == [(0, None), (0, 0)]
    append([line("2011-01-05", "b")])
    assert [done(), done()] == [(0, 1), (0, 0)]


OWN = """
description: how long each page was looked at a day
source: app.visit.v1
revision: 1
keys: [event_date, page]
columns:
  event_date: DATE
  page: STRING
  visits: BIGINT
  seconds: DOUBLE
query: |
  SELECT event_date, page, count(*) AS visits, sum(seconds) AS seconds -- of all users
  FROM events GROUP BY event_date, page;
"""
VISITS = [("help", 1.5, 0), ("home", 60.0, 0), ("help", 2.0, 0), ("help", 8.0, 1)]


def test_a_project_has_a_gold_table_of_its_own(spark: SparkSession, lake: Settings, tmp_path: Path) -> None:
    project = tmp_path / "mine"
    new(project)
    file = project / "use_cases" / "pages" / "gold" / "pages_daily.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(OWN, encoding="utf-8")
    columns = silver_columns(read_contract(project / "contracts" / "app.visit.v1.json"))
    visits = Table(
        "silver/visits", "visits", columns, ("event_id",), ("event_month",), {"delta.enableChangeDataFeed": "true"}
    )
    create_table(visits, lake)

    expected: Counter[tuple[date, str]] = Counter()
    for month, dates in ((3, None), (4, 2)):
        append_rows(lake, visits, [visit(number, month, *given) for number, given in enumerate(VISITS)])
        for page, seconds, days in VISITS:
            expected[date(2026, month, 1 + days), page] += seconds
        report = refreshed(lake, project, "pages_daily")
        assert (report["table"], report["dates"]) == ("gold/pages_daily", dates)
        found = DeltaTable(f"{lake.lake_root}/gold/pages_daily").to_pyarrow_table().to_pylist()
        assert {(row["event_date"], row["page"]): row["seconds"] for row in found} == expected
        assert {row["event_month"] for row in found} == {f"{day:%Y-%m}" for day, _ in expected}


def visit(number: int, month: int, page: str, seconds: float, days: int) -> dict[str, object]:
    at = datetime(2026, month, 1, 9, tzinfo=UTC) + timedelta(days=days)
    return {
        "event_id": f"{month}-{number}",
        "event_time": at,
        "event_date": at.date(),
        "source": "test",
        "user_id": "u1",
        "page": page,
        "platform": "web",
        "seconds": seconds,
        "referrer": None,
        "_generation": 1,
        "_digest": 0,
        "_partition": 0,
        "_offset": number,
        "broker_time": at,
        "ingested_at": at,
        "event_month": f"{at:%Y-%m}",
    }


def refreshed(lake: Settings, project: Path, name: str) -> dict[str, object]:
    """What the command says at its end, run in the project's folder."""
    variables = settings_environment(lake) | {
        "TIDEMILL_PROJECT": str(project),
        "TIDEMILL_SERVING__USE_CASES": '["next_visits"]',
    }
    line = [Path(sys.executable).with_name("tidemill"), "lake", "refresh", name]
    done = subprocess.run(line, env=os.environ | variables, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return report


WRONG = {
    "syntax": ("SELEC event_date FROM events", "Spark refuses the query: [PARSE_SYNTAX_ERROR] Syntax error at or near"),
    "no query": ("DROP TABLE events", "Spark refuses the query: [PARSE_SYNTAX_ERROR]"),
    "column": ("SELECT custmer_id FROM events", "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function"),
    "columns": (
        "SELECT event_date, customer_id, 1 AS currency, 2 AS other, 3 AS other, '2011-01' AS event_month FROM events",
        "the query does not give the columns declared: other is there twice; currency should be string, and is int; "
        "order_ids array<string> is missing; ",
    ),
    "not declared": (
        "SELECT *, '2011-01' AS event_month FROM ({query})",
        "the query does not give the columns declared: event_month string is not declared",
    ),
    "null": (
        "SELECT * EXCEPT (customer_id), if(customer_id = 'b', NULL, customer_id) AS customer_id FROM ({query})",
        "a column is null that is declared without a ?: [DELTA_NOT_NULL_CONSTRAINT_VIOLATED",
    ),
    "other days": (
        "SELECT * EXCEPT (event_date), event_date + 1 AS event_date FROM ({query})",
        "the query gives rows of other days than those of its events: event_date must be that of the events: ",
    ),
    "values": (
        "SELECT * EXCEPT (units_bought), units_bought div units_returned AS units_bought FROM ({query})",
        "Spark refuses the query: [DIVIDE_BY_ZERO] Division by zero",
    ),
    "rows of a subquery": (
        "SELECT * EXCEPT (units_bought), (SELECT * FROM VALUES (1L), (2L)) AS units_bought FROM ({query})",
        "Spark refuses the query: [SCALAR_SUBQUERY_TOO_MANY_ROWS] More than one row returned by a subquery",
    ),
}


def test_what_spark_says_against_a_query_is_one_sentence_and_nothing_is_committed(
    spark: SparkSession, lake: Settings, append: AppendLines
) -> None:
    declared, target = gold_table("customer_daily"), table("gold/customer_daily")
    append([line("2011-01-03", "a")])
    daily.refresh(spark, lake, declared, full=False)
    append([line("2011-01-04", "b")])
    before = commits.current_version(target, lake)
    for case, full in [*((case, False) for case in WRONG), ("null", True), ("values", True)]:
        query, why = WRONG[case]
        with pytest.raises(GoldTableError) as raised:
            daily.refresh(spark, lake, replace(declared, query=query.format(query=declared.query)), full)
        assert str(raised.value).startswith(f"{declared.file}: "), case
        assert why in str(raised.value), case
        assert "\n" not in str(raised.value), case
    assert commits.current_version(target, lake) == before
    assert [row.name for row in spark.catalog.listTables() if row.name.startswith("events")] == []

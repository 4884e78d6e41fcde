"""The job ``sessions`` on the real Kafka and Flink, held against a loop over the same clicks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from batch_processing import daily
from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.gold import gold_table
from data_lake.reconciliation.reconcile import reconcile_topic
from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from stream_processing.spark_streaming.bronze.landing import start_bronze
from stream_processing.spark_streaming.silver.batch import start_silver
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tests.cases.clicks import START, arriving_clicks, broken, click, later
from tests.cases.naive_sessions import naive_sessions, newest
from tests.integration.stream_processing.flink.results import reading, send, sessions_sent, wait_for
from tidemill.config import Settings

CLICKS, SESSIONS = "shop.click.v1", "shop.session.v1"
OTHERS = 40
"""Visitors whose late clicks move the time of every partition on."""
Data = dict[str, Any]
pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(3_600)]


@dataclass(frozen=True)
class Visits:
    """The running job ``job_id``, which has sent each visit of ``judged``, the data by the id of its event."""

    settings: Settings
    job_id: str
    judged: Mapping[str, Data]


@pytest.fixture(scope="module")
def visits(flink: Settings) -> Iterator[Visits]:
    clicks = arriving_clicks(Random(7), 6_000, 300)
    judged = naive_sessions(clicks)
    assert len(judged) > 1_000
    send(flink, CLICKS, [*clicks, *broken(clicks[:50]), *later(OTHERS, 24)])
    job_id = deploy(flink, job("sessions")).job_id
    wait_for(lambda: judged.keys() <= sessions_sent(flink).keys(), "every visit of the judge was sent")
    yield Visits(flink, job_id, judged)
    stop(flink, "sessions")


def test_the_visits_are_those_of_a_loop_over_the_same_clicks(visits: Visits) -> None:
    sent = sessions_sent(visits.settings)
    assert newest(sent) == visits.judged
    assert len(sent) > len(visits.judged)  # some grew after they were sent


def test_clicks_that_come_a_day_late_are_counted(visits: Visits) -> None:
    before = sessions_sent(visits.settings)
    send(visits.settings, CLICKS, [click(f"lost {n}", START, session_id=f"lost {n}") for n in range(20)])
    wait_for(lambda: Cluster(visits.settings).late(visits.job_id) == 20, "the late clicks are counted")
    assert sessions_sent(visits.settings) == before


def test_silver_has_each_version_once_and_gold_each_visit(visits: Visits, spark: SparkSession, tmp_path: Path) -> None:
    settings = visits.settings.model_copy(update={"home": tmp_path})
    for table in (tables.bronze(SESSIONS), tables.silver(SESSIONS), tables.quarantine(SESSIONS)):
        ensure_table(spark, table, settings)
    queries = start_bronze(spark, settings, SESSIONS), start_silver(spark, SilverIdentities(SESSIONS, settings))
    for query in queries:
        query.processAllAvailable()
        query.stop()
    report = reconcile_topic(settings, SESSIONS)
    assert report.holds, [str(finding) for finding in report.findings]
    sent = sessions_sent(settings)
    silver = DeltaTable(tables.silver(SESSIONS).path(settings)).to_pyarrow_table(columns=["event_id"])["event_id"]
    assert sorted(silver.to_pylist()) == sorted(sent)
    with reading(settings, SESSIONS) as followed:
        assert followed.results() == sent
        assert followed.messages > len(sent)  # each pass sends what did not change

    daily.refresh(spark, settings, gold_table("sessions"), full=False)
    gold = DeltaTable(tables.table("gold/sessions").path(settings)).to_pyarrow_table().to_pylist()
    assert {row["session_event_id"]: _as_sent(row) for row in gold} == dict(visits.judged)


def _as_sent(row: Mapping[str, Any]) -> Data:
    others = ("event_date", "event_month", "session_event_id")
    return {name: _text(value) for name, value in row.items() if name not in others}


def _text(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

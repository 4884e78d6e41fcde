"""Flink's jobs against loops over a million events, 1 % of them late and 1 % twice: equal sets."""

from collections.abc import Iterator
from random import Random

import pytest

from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tests.cases.arriving_payments import arriving_payments, later_payments
from tests.cases.clicks import arriving_clicks, later
from tests.cases.naive_alerts import is_alert, naive_alerts
from tests.cases.naive_sessions import naive_sessions, newest
from tests.integration.stream_processing.flink.conftest import running_flink
from tests.integration.stream_processing.flink.results import reading, send, wait_for
from tidemill.config import Settings

EVENTS = 1_000_000
OTHERS = 40
CHECKPOINT_S = 10.0
"""As on a local stack: each writes out what is in memory."""
PATIENCE_S = 5_400.0
pytestmark = [pytest.mark.ingestion, pytest.mark.matrix, pytest.mark.timeout(7_200)]


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A cluster whose topics have no events of other tests."""
    with running_flink(tmp_path_factory.mktemp("million"), CHECKPOINT_S) as settings:
        yield settings


def test_a_million_clicks_make_the_visits_of_a_loop(empty: Settings) -> None:
    clicks = arriving_clicks(Random(17), EVENTS, 50_000)
    send(empty, "shop.click.v1", [*clicks, *later(OTHERS, 24)])
    job_id = deploy(empty, job("sessions")).job_id
    judged = naive_sessions(clicks)
    assert len(judged) > 200_000
    with reading(empty, "shop.session.v1") as visits:
        wait_for(lambda: judged.keys() <= visits.results().keys(), "every visit was sent", PATIENCE_S, rest_s=5)
        assert newest(visits.results()) == judged
    assert Cluster(empty).late(job_id) == 0
    stop(empty, "sessions")


def test_a_million_payments_make_the_alerts_of_a_loop(empty: Settings) -> None:
    payments = arriving_payments(Random(19), EVENTS, 10_000)
    send(empty, "payment.card_transaction.v1", [*payments, *later_payments(OTHERS)])
    deploy(empty, job("card_patterns"))
    judged = naive_alerts(payments)
    assert len(judged) > 20_000
    with reading(empty, "payment.card_alert.v1") as alerts:
        wait_for(lambda: judged.keys() <= alerts.results().keys(), "every alert was sent", PATIENCE_S, rest_s=5)
        sent = alerts.results()
    stop(empty, "card_patterns")
    assert {name: alert for name, alert in sent.items() if name in judged} == judged
    by_id = {payment["id"]: payment for payment in payments}
    for name in sent.keys() - judged.keys():
        assert is_alert(sent[name]["pattern"], [by_id[event_id] for event_id in sent[name]["event_ids"]])

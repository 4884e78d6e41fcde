"""The job ``card_patterns`` on the real Kafka and Flink, held against a loop over the same payments."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from stream_processing.flink.cluster import Cluster
from stream_processing.flink.deploying import deploy, stop
from stream_processing.flink.job import job
from tests.cases.arriving_payments import START, arriving_payments, later_payments, payment
from tests.cases.naive_alerts import LENGTHS, is_alert, naive_alerts
from tests.integration.stream_processing.flink.results import reading, send, wait_for
from tidemill.config import Settings

PAYMENTS, ALERTS = "payment.card_transaction.v1", "payment.card_alert.v1"
OTHERS, TOO_LATE = 40, 7
AGAIN = START + timedelta(days=2)
"""When time has passed all that other tests send."""
pytestmark = [pytest.mark.ingestion, pytest.mark.timeout(3_600)]


def test_the_alerts_are_those_of_a_loop_over_the_same_payments(flink: Settings) -> None:
    payments = arriving_payments(Random(3), 2_000, 20)
    judged = naive_alerts(payments)
    patterns = [alert["pattern"] for alert in judged.values()]
    assert min(map(patterns.count, LENGTHS)) > 20
    send(flink, PAYMENTS, [*payments, *later_payments(OTHERS)])
    job_id = deploy(flink, job("card_patterns")).job_id
    with reading(flink, ALERTS) as alerts:
        wait_for(lambda: judged.keys() <= alerts.results().keys(), "every alert of the judge was sent")
        sent = alerts.results()
    late = Cluster(flink).late(job_id)
    send(flink, PAYMENTS, [payment(f"a day late {number}", START, f"c{number}", 1.0) for number in range(TOO_LATE)])
    wait_for(lambda: Cluster(flink).late(job_id) >= late + TOO_LATE, "what came too late is counted")
    stop(flink, "card_patterns")

    assert {name: alert for name, alert in sent.items() if name in judged} == judged
    by_id = {payment["id"]: payment for payment in payments}
    own = {name for name, alert in sent.items() if alert["event_ids"][0] in by_id}
    for name in own - judged.keys():  # sent before a payment came that was made in between
        assert is_alert(sent[name]["pattern"], [by_id[event_id] for event_id in sent[name]["event_ids"]])


def test_after_a_restart_a_late_payment_and_a_repeated_one_make_no_alert(flink: Settings) -> None:
    slow = [payment(f"slow {number}", AGAIN + timedelta(hours=number), "slow", 20.0) for number in range(4)]
    quick = [
        payment(f"quick {number}", AGAIN + timedelta(hours=3, minutes=number), "quick", 20.0) for number in range(4)
    ]
    _send_until(flink, "before", [*slow, *quick], AGAIN + timedelta(hours=4))
    late = payment("late", AGAIN - timedelta(hours=1), "slow", 20.0)
    _send_until(flink, "after", [late, quick[-1]], AGAIN + timedelta(hours=6))
    with reading(flink, ALERTS) as alerts:
        alerted = {alert["customer_id"] for alert in alerts.results().values()}
    assert alerted >= {"before", "after"}
    assert not alerted & {"slow", "quick"}


def _send_until(flink: Settings, card: str, payments: list[dict[str, Any]], at: datetime) -> None:
    """Run the job until it has the ``payments``: an alert about ``card`` is sent, which was tried later than all."""
    tried = [
        payment(f"{card} {second}", at + timedelta(seconds=second), card, amount)
        for second, amount in enumerate((1.0, 1.0, 500.0))
    ]
    others = [payment(f"{card} other {n}", at + timedelta(hours=1), f"other {n}", 50.0) for n in range(OTHERS)]
    send(flink, PAYMENTS, [*payments, *tried, *others])
    deploy(flink, job("card_patterns"))
    with reading(flink, ALERTS) as alerts:
        wait_for(
            lambda: card in {alert["customer_id"] for alert in alerts.results().values()}, "the last alert was sent"
        )
    stop(flink, "card_patterns")

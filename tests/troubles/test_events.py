"""Events that others got wrong: each ends where it should, and what comes after it arrives."""

from datetime import timedelta
from decimal import Decimal

import orjson
from confluent_kafka import Producer

from tests.troubles.stack import Stack, click, moment, payment, purchase
from tidemill.contracts import event_time

PAYMENTS, TRANSACTIONS, CLICKS = "payment.card_transaction.v1", "shop.transaction.v1", "shop.click.v1"


def test_a_number_with_a_huge_exponent_stops_no_topic(stack: Stack) -> None:
    """Spark's own parser computes a power of ten of that size, for hours."""
    for topic, made, field in (
        (PAYMENTS, payment("tiny", "c-tiny"), b'"amount":1.25'),
        (TRANSACTIONS, purchase("tiny", "c-tiny"), b'"unit_price":2.5'),
    ):
        name = field.split(b":")[0]
        stack.produce(topic, [orjson.dumps(made).replace(field, name + b":1e-500000000")])
    stack.produce(PAYMENTS, [payment("after", "c-tiny")])
    stack.produce(CLICKS, [click("after", "s-tiny")])
    stack.wait_for_rows(
        "select amount from silver.card_transactions where customer_id = 'c-tiny'", [(Decimal("1.25"),)]
    )
    stack.wait_for_rows("select count(*) from silver.clicks where session_id = 's-tiny'", [(1,)])
    for topic in (PAYMENTS, TRANSACTIONS):
        assert stack.reconciled(topic)["quarantine_by_reason"]["unrepresentable"] >= 1


def test_an_event_is_known_by_source_and_id_and_a_conflict_is_no_duplicate(stack: Stack) -> None:
    sold = {**purchase("1001", "c-north", 5.0, source="urn:shop:north"), "id": "1001"}
    other = {**purchase("1001", "c-south", 7.0, source="urn:shop:south"), "id": "1001", "time": sold["time"]}
    later = {**sold, "time": event_time(moment() - timedelta(days=40))}
    dearer = {**sold, "data": {**sold["data"], "unit_price": 6.0}}
    before = stack.reconciled(TRANSACTIONS)
    stack.produce(TRANSACTIONS, [sold])
    lines = "select source, unit_price from silver.transactions where event_id = '1001' order by source"
    stack.wait_for_rows(lines, [("urn:shop:north", Decimal("5"))])
    stack.produce(TRANSACTIONS, [other, sold, later, dearer])
    stack.wait_for_rows(lines, [("urn:shop:north", Decimal("5")), ("urn:shop:south", Decimal("7"))])
    after = stack.reconciled(TRANSACTIONS)
    gained = {name: after[name] - before[name] for name in ("bronze_rows", "silver_rows", "duplicate_rows")}
    assert gained == {"bronze_rows": 5, "silver_rows": 2, "duplicate_rows": 1}
    assert after["quarantine_by_reason"]["conflict"] - before["quarantine_by_reason"].get("conflict", 0) == 2


def test_an_aborted_transaction_never_happened(stack: Stack) -> None:
    servers = {"bootstrap.servers": stack.settings.kafka.bootstrap_servers}
    producer = Producer({**servers, "transactional.id": "till-7"})
    producer.init_transactions(30)
    for price, ends in ((500.0, producer.abort_transaction), (7.0, producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(TRANSACTIONS, orjson.dumps(purchase(f"tx-{price}", "c-tx", price)), b"c-tx")
        producer.flush(30)
        ends(30)
    stack.wait_for_rows("select sum(unit_price) from silver.transactions where customer_id = 'c-tx'", [(Decimal("7"),)])
    stack.reconciled(TRANSACTIONS)

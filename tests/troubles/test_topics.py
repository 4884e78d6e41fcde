"""Topics that are not what they were: one query says so and waits for a decision, and nothing else stops."""

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.topics import ensure_topics
from tests.troubles.stack import Stack, click, payment, verdict

PAYMENTS, VERDICTS, CLICKS = "payment.card_transaction.v1", "payment.card_verdict.v1", "shop.click.v1"


def test_a_topic_made_anew_is_read_as_another_generation(stack: Stack) -> None:
    stack.produce(VERDICTS, [verdict(f"old-{n}", "c-verdict") for n in range(3)])
    counted = "select count(*) from silver.card_verdicts where customer_id = 'c-verdict'"
    stack.wait_for_rows(counted, [(3,)])
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka.bootstrap_servers})
    admin.delete_topics([VERDICTS])[VERDICTS].result()
    stack.wait(lambda: VERDICTS not in admin.list_topics(timeout=10).topics, "the topic is gone", 30)
    ensure_topics(stack.settings)
    stack.produce(VERDICTS, [verdict(f"new-{n}", "c-verdict") for n in range(5)])
    advice = f"tidemill stream new-generation {VERDICTS}"
    stack.wait(lambda: advice in stack.sentence(f"bronze/{VERDICTS}"), "status says what to do")
    stack.produce(CLICKS, [click("meanwhile", "s-verdict")])
    stack.wait_for_rows("select count(*) from silver.clicks where session_id = 's-verdict'", [(1,)])
    stack.tidemill(*advice.split()[1:], "--yes")
    stack.wait_for_rows(counted, [(8,)])
    ended = stack.reconciled(VERDICTS)["ended_generations"]
    # Until the watch notices, the running query may take what comes after its last offset for the topic it knew.
    assert list(ended) == ["1"]
    assert ended["1"] >= 3


def test_messages_that_retention_removed_unread_are_given_up_on_record(stack: Stack) -> None:
    stack.produce(PAYMENTS, [payment("before", "c-loss")])
    counted = "select transaction_id from silver.card_transactions where customer_id = 'c-loss' order by 1"
    stack.wait_for_rows(counted, [("before",)])
    stack.tidemill("down", "stream")
    stack.produce(PAYMENTS, [payment(f"lost-{n}", "c-loss") for n in range(4)])
    admin = AdminClient({"bootstrap.servers": stack.settings.kafka.bootstrap_servers})
    ends = {partition: of.high for partition, of in topic_offsets(stack.settings, PAYMENTS).items()}
    for answer in admin.delete_records([TopicPartition(PAYMENTS, *end) for end in ends.items()]).values():
        answer.result()
    stack.produce(PAYMENTS, [payment("later", "c-loss")])
    stack.tidemill("up", "stream")
    advice = f"tidemill stream accept-loss {PAYMENTS}"
    stack.wait(lambda: advice in stack.sentence(f"bronze/{PAYMENTS}"), "status says what to do")
    stack.tidemill(*advice.split()[1:], "--yes")
    stack.wait_for_rows(counted, [("before",), ("later",)])
    report = stack.reconciled(PAYMENTS)
    assert sum(loss["messages"] for loss in report["accepted_loss"]) == 4

"""Simulated cards on a real broker: what the source counted is there, each customer's events in order."""

import json
from collections import defaultdict
from datetime import date
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.events import TRANSACTIONS, VERDICTS
from ingestion_layer.sources.card_simulator.history import CardSource
from ingestion_layer.sources.replay import replay
from tests.cases.kafka_messages import ends, messages_after
from tidemill.cli import cli
from tidemill.config import Settings
from tidemill.config.environment import settings_environment
from tidemill.contracts import checker

CARDS = Cards(customers=50, terminals=100, start=date(2024, 1, 1), end=date(2024, 2, 1))


@pytest.fixture
def own(settings: Settings, kafka: str, tmp_path: Path) -> Settings:
    """The shared broker with a home of the test's own."""
    ensure_topics(settings)
    return settings.model_copy(update={"home": tmp_path})


@pytest.mark.parametrize("topic", [TRANSACTIONS, VERDICTS])
def test_what_was_counted_is_there_in_order(own: Settings, topic: str) -> None:
    servers = own.kafka.bootstrap_servers
    before = ends(servers, topic)
    source = CardSource(own, CARDS)
    sent = replay(own, source, again=False, on_position=lambda _: None)
    messages = messages_after(servers, topic, before)
    assert len(messages) == source.counts[topic] == sent.by_topic[topic] > 1000
    times = defaultdict(list)
    for message in messages:
        assert checker(topic).check_bytes(message.value()) is None
        event = orjson.loads(message.value())
        assert message.key() == event["data"]["customer_id"].encode()
        times[message.partition()].append(event["time"])
    assert all(found == sorted(found) for found in times.values())


def test_cards_that_were_sent_are_not_sent_again_unless_asked(own: Settings) -> None:
    first, second = (replay(own, CardSource(own, CARDS), again=False, on_position=lambda _: None) for _ in range(2))
    third = replay(own, CardSource(own, CARDS), again=True, on_position=lambda _: None)
    assert (second.total, third.total) == (0, first.total)


def test_the_command_tells_what_it_sent_and_where_the_truth_is(own: Settings) -> None:
    command = ["produce", "cards", "--customers", "60", "--terminals", "90", "--days", "40", "--json"]
    done = CliRunner().invoke(cli, command, env=settings_environment(own))
    told = json.loads(done.stdout)
    assert told["sent"] == told["produced"] == sum(topic["produced"] for topic in told["by_topic"].values())
    assert set(told["by_topic"]) == {TRANSACTIONS, VERDICTS}
    truth = pq.read_table(Path(told["truth"]) / "frauds")
    assert sum(told["frauds"].values()) == truth.num_rows > 0

"""Topics on a real broker."""

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from ingestion_layer.kafka import topics
from ingestion_layer.kafka.client import BrokerRefusedError, BrokerUnavailableError
from ingestion_layer.kafka.topics import create_topics, ensure_topics, topic_states
from tidemill.config import Settings
from tidemill.contracts import contracts
from tidemill.stack.machine.ports import free_ports


def described(servers: str, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = AdminClient({"bootstrap.servers": servers})
    entries = admin.describe_configs([resource])[resource].result()
    return {name: entry.value for name, entry in entries.items()}


def test_every_contract_has_its_topic_as_declared_and_a_second_call_changes_nothing(
    settings: Settings, kafka: str
) -> None:
    ensure_topics(settings)
    assert ensure_topics(settings) == ()
    metadata = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=10).topics
    for topic in contracts():
        assert len(metadata[topic].partitions) == settings.kafka.partitions
        config = described(kafka, topic)
        assert (config["message.timestamp.type"], config["retention.ms"]) == ("LogAppendTime", "-1")


def test_a_differing_configuration_is_set_and_named(settings: Settings, kafka: str) -> None:
    ensure_topics(settings)
    other = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"retention_ms": 86_400_000})})
    try:
        assert set(ensure_topics(other)) == set(contracts())
        assert described(kafka, "shop.click.v1")["retention.ms"] == "86400000"
    finally:
        ensure_topics(settings)
    assert described(kafka, "shop.click.v1")["retention.ms"] == "-1"


def test_a_topic_that_another_process_made_at_the_same_moment_keeps_its_partitions_and_is_configured(
    settings: Settings, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, asking = "tests.another_was_quicker", AdminClient({"bootstrap.servers": kafka})
    is_created = topics._is_created

    def is_created_too_late(admin: AdminClient, wanted: NewTopic) -> bool:
        admin.create_topics([NewTopic(topic, settings.kafka.partitions + 1, 1)])[topic].result()
        return is_created(admin, wanted)

    monkeypatch.setattr(topics, "_is_created", is_created_too_late)
    try:
        assert ensure_topics(settings, [topic]) == (topic,)
        assert described(kafka, topic)["message.timestamp.type"] == "LogAppendTime"
        assert len(asking.list_topics(timeout=10).topics[topic].partitions) == settings.kafka.partitions + 1
        assert ensure_topics(settings, [topic]) == ()
    finally:
        asking.delete_topics([topic])[topic].result()


def test_a_topic_of_somebody_else_is_left_as_it_is_and_what_differs_is_told(
    settings: Settings, kafka: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic, asking = "tests.of_somebody_else", AdminClient({"bootstrap.servers": kafka})
    own = {"cleanup.policy": "compact", "retention.ms": "86400000", "message.timestamp.type": "LogAppendTime"}
    asking.create_topics([NewTopic(topic, 1, 1, config=own)])[topic].result()
    try:
        assert create_topics(settings, [topic]) == ()
        config = described(kafka, topic)
        assert {key: config[key] for key in own} == own
        (warning,) = caplog.messages
        assert f"topic {topic} has retention.ms=86400000, cleanup.policy=compact" in warning
        assert "retention.ms=-1, cleanup.policy=delete: `tidemill topics create`" in warning
    finally:
        asking.delete_topics([topic])[topic].result()


def test_topics_are_listed_as_they_are(settings: Settings, kafka: str) -> None:
    ensure_topics(settings)
    states = {state.name: (state.partitions, state.replication) for state in topic_states(settings)}
    assert states == dict.fromkeys(contracts(), (settings.kafka.partitions, 1))


def test_a_broker_that_is_away_is_a_transient_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "TIMEOUT_S", 1.0)
    (port,) = free_ports(1)
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    with pytest.raises(BrokerUnavailableError, match=f":{port}"):
        ensure_topics(settings.model_copy(update={"kafka": kafka}))


def test_what_the_broker_refuses_is_a_terminal_error(settings: Settings, kafka: str) -> None:
    from ingestion_layer.kafka.topics import _create

    refused = settings.kafka.model_copy(update={"retention_ms": -7})
    with pytest.raises(BrokerRefusedError, match=r"creating topic tests\.refused"):
        _create(
            settings.model_copy(update={"kafka": refused}),
            AdminClient({"bootstrap.servers": kafka}),
            ["tests.refused"],
        )

"""The topics: one a contract, created with what the lake relies on."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from config.settings import Settings
from contracts.registry import contracts
from ingestion_layer.kafka.client import broker_error, client_config

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class TopicState:
    """One topic as the broker has it; ``partitions`` is 0 when it does not exist."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def topic_config(settings: Settings) -> dict[str, str]:
    """What the lake relies on: the broker's own clock in every message, and no message lost to retention."""
    return {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(settings.kafka.retention_ms),
        "cleanup.policy": "delete",
    }


def ensure_topics(settings: Settings, names: Collection[str] | None = None) -> tuple[str, ...]:
    """Create the topics that are missing and set the configuration of those that differ; the names it changed.

    ``names`` are those to look at (None: every contract's).

    When it returns, every partition it created has a leader: it can be written and read at once.

    A topic that already has another number of partitions keeps it: changing it would break the order per key.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        BrokerRefusedError: the broker refused, for example a replication factor it cannot hold.
    """
    admin = AdminClient(client_config(settings))
    states = [state for state in topic_states(settings, admin) if names is None or state.name in names]
    missing = [state.name for state in states if not state.partitions]
    wanted = topic_config(settings)
    differing = [state.name for state in states if state.partitions and dict(state.config) != wanted]
    _create(settings, admin, missing)
    _wait_until_led(settings, admin, missing)
    _configure(settings, admin, differing)
    return (*missing, *differing)


def topic_states(settings: Settings, admin: AdminClient | None = None) -> tuple[TopicState, ...]:
    """Every contract's topic as the broker has it, in the order of the contracts."""
    admin = admin or AdminClient(client_config(settings))
    try:
        metadata = admin.list_topics(timeout=TIMEOUT_S).topics
        present = {name: metadata[name].partitions for name in contracts() if _exists(metadata, name)}
        configs = _configs(settings, admin, list(present))
    except KafkaException as error:
        raise broker_error(settings, "reading the topics", error) from error
    return tuple(
        TopicState(
            name,
            len(present.get(name, {})),
            max((len(partition.replicas) for partition in present.get(name, {}).values()), default=0),
            configs.get(name, {}),
        )
        for name in contracts()
    )


def _exists(metadata: Mapping[str, Any], name: str) -> bool:
    return name in metadata and metadata[name].error is None


def _configs(settings: Settings, admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    keys = topic_config(settings)
    return {resource.name: {key: future.result()[key].value for key in keys} for resource, future in futures.items()}


def _create(settings: Settings, admin: AdminClient, names: list[str]) -> None:
    if not names:
        return
    new = [
        NewTopic(name, settings.kafka.partitions, settings.kafka.replication, config=topic_config(settings))
        for name in names
    ]
    for name, future in admin.create_topics(new, request_timeout=TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another process was quicker
                raise broker_error(settings, f"creating topic {name}", error) from error


def _wait_until_led(settings: Settings, admin: AdminClient, names: list[str]) -> None:
    asked = {
        TopicPartition(name, number): OffsetSpec.latest()
        for name in names
        for number in range(settings.kafka.partitions)
    }
    deadline = monotonic() + TIMEOUT_S
    while asked:
        try:
            for future in admin.list_offsets(asked, request_timeout=TIMEOUT_S).values():
                future.result()
        except KafkaException as error:
            if monotonic() > deadline:
                raise broker_error(settings, f"waiting for the leaders of {', '.join(names)}", error) from error
            sleep(0.1)
        else:
            return


def _configure(settings: Settings, admin: AdminClient, names: list[str]) -> None:
    if not names:
        return
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in topic_config(settings).items()
    ]
    resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
    for resource, future in admin.incremental_alter_configs(resources, request_timeout=TIMEOUT_S).items():
        try:
            future.result()
        except KafkaException as error:
            raise broker_error(settings, f"configuring topic {resource.name}", error) from error

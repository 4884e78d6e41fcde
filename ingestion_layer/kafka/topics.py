"""The topics: one a contract, created with what the lake relies on."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

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

from ingestion_layer.kafka.client import ask, client_config
from ingestion_layer.kafka.offsets import is_there
from tidemill.config.settings import Settings
from tidemill.contracts.registry import contracts

TIMEOUT_S = 15.0
LED_S = 60.0
"""The controller has made the topics: a broker on a busy machine comes to hear of them, if late."""
logger = logging.getLogger(__name__)


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


def create_topics(settings: Settings, names: Collection[str] | None = None) -> tuple[str, ...]:
    """Create those of ``names`` that are missing, as :func:`ensure_topics` does; the names it made.

    One that is there is left as it is: its retention may be somebody's decision, and what is removed by another one is
    gone. In what it differs from what the lake relies on is a warning.
    """
    made, others = _made(settings, AdminClient(client_config(settings)), _wanted(names))
    relied_on = topic_config(settings)
    for state in others:
        differing = {key: value for key, value in state.config.items() if value != relied_on[key]}
        if differing:
            logger.warning(
                "topic %s has %s where the lake relies on %s: `tidemill topics create` sets that",
                state.name,
                ", ".join(f"{key}={value}" for key, value in differing.items()),
                ", ".join(f"{key}={relied_on[key]}" for key in differing),
            )
    return made


def ensure_topics(settings: Settings, names: Collection[str] | None = None) -> tuple[str, ...]:
    """Create the topics that are missing and set the configuration of those that differ; the names it changed.

    ``names`` are those to look at (None: every contract's).

    When it returns, every partition it created has a leader: it can be written and read at once.

    A topic that already has another number of partitions keeps it: changing it would break the order per key.

    Raises:
        BrokerUnavailableError: no broker answered in time, or there are too few for the replication factor.
        BrokerRefusedError: the broker refused.
    """
    admin = AdminClient(client_config(settings))
    made, others = _made(settings, admin, _wanted(names))
    relied_on = topic_config(settings)
    differing = [state.name for state in others if dict(state.config) != relied_on]
    _configure(settings, admin, differing)
    return (*made, *differing)


def topic_states(settings: Settings) -> tuple[TopicState, ...]:
    """Every contract's topic as the broker has it, in the order of the contracts."""
    return _asked_states(settings, AdminClient(client_config(settings)), list(contracts()))


def _wanted(names: Collection[str] | None) -> Collection[str]:
    return list(contracts()) if names is None else names


def _made(settings: Settings, admin: AdminClient, names: Collection[str]) -> tuple[tuple[str, ...], list[TopicState]]:
    """The topics of ``names`` that it made, since they were missing, and those that it did not."""
    states = _asked_states(settings, admin, names)
    missing = [state.name for state in states if not state.partitions]
    made = _create(settings, admin, missing)
    _wait_until_led(settings, admin, missing)
    # What another process made at the same moment may be of another number of partitions and another configuration.
    others = _asked_states(settings, admin, [name for name in missing if name not in made])
    return tuple(made), [state for state in (*states, *others) if state.partitions]


def _asked_states(settings: Settings, admin: AdminClient, names: Collection[str]) -> tuple[TopicState, ...]:
    return ask(settings, "reading the topics", partial(_states, settings, admin, names))


def _states(settings: Settings, admin: AdminClient, names: Collection[str]) -> tuple[TopicState, ...]:
    metadata = admin.list_topics(timeout=TIMEOUT_S).topics
    there = [name for name in names if name in metadata and is_there(metadata[name])]
    present = {name: metadata[name].partitions for name in there}
    configs = _configs(settings, admin, there)
    return tuple(
        TopicState(
            name,
            len(present.get(name, {})),
            max((len(partition.replicas) for partition in present.get(name, {}).values()), default=0),
            configs.get(name, {}),
        )
        for name in names
    )


def _configs(settings: Settings, admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    futures = admin.describe_configs(resources, request_timeout=TIMEOUT_S)
    keys = topic_config(settings)
    return {resource.name: {key: future.result()[key].value for key in keys} for resource, future in futures.items()}


def _create(settings: Settings, admin: AdminClient, names: list[str]) -> list[str]:
    """Of ``names`` those that it made: not what another process made first."""
    partitions, replication, config = settings.kafka.partitions, settings.kafka.replication, topic_config(settings)
    topics = [NewTopic(name, partitions, replication, config=config) for name in names]
    return [
        topic.topic
        for topic in topics
        if ask(settings, f"creating topic {topic.topic}", partial(_is_created, admin, topic))
    ]


def _is_created(admin: AdminClient, topic: NewTopic) -> bool:
    try:
        admin.create_topics([topic], request_timeout=TIMEOUT_S)[topic.topic].result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise
        return False
    return True


def _wait_until_led(settings: Settings, admin: AdminClient, names: list[str]) -> None:
    def list_all() -> None:
        topics = admin.list_topics(timeout=TIMEOUT_S).topics
        if not all(name in topics and is_there(topics[name]) for name in names):
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        asked = {
            TopicPartition(name, number): OffsetSpec.latest() for name in names for number in topics[name].partitions
        }
        for future in admin.list_offsets(asked, request_timeout=TIMEOUT_S).values():
            future.result()

    if names:
        ask(settings, f"waiting for the leaders of {', '.join(names)}", list_all, patience_s=LED_S)


def _configure(settings: Settings, admin: AdminClient, names: list[str]) -> None:
    if not names:
        return
    entries = [
        ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        for key, value in topic_config(settings).items()
    ]
    resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
    for resource in resources:
        ask(settings, f"configuring topic {resource.name}", partial(_configure_one, admin, resource))


def _configure_one(admin: AdminClient, resource: ConfigResource) -> None:
    admin.incremental_alter_configs([resource], request_timeout=TIMEOUT_S)[resource].result()

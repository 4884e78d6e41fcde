"""Which topic a name stands for: the broker gives each topic an id when it is made, and each cluster has one."""

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from ingestion_layer.kafka.client import ask, client_config
from ingestion_layer.kafka.offsets import MissingTopicError
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class TopicIdentity:
    """A topic deleted and made anew has another ``topic_id``."""

    cluster_id: str
    topic_id: str

    def __str__(self) -> str:
        return f"topic id {self.topic_id} of cluster {self.cluster_id}"


class OtherClusterError(TerminalError):
    """Another cluster answers at the address than when this process began."""


def cluster_id(settings: Settings) -> str:
    """The id of the cluster that answers.

    Raises:
        BrokerUnavailableError: no broker answered in time.
    """
    admin = AdminClient(client_config(settings))
    asked = ask(settings, "asking which cluster this is", lambda: admin.list_topics(timeout=TIMEOUT_S))
    return str(asked.cluster_id)


def topic_identity(settings: Settings, topic: str) -> TopicIdentity:
    """What the broker says that ``topic`` is.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        MissingTopicError: there is no such topic.
    """
    try:
        return topic_identities(settings, [topic])[topic]
    except KeyError:
        raise MissingTopicError(f"the broker has no topic {topic}: run `tidemill topics create`") from None


def topic_identities(settings: Settings, topics: Sequence[str]) -> dict[str, TopicIdentity]:
    """What the broker says that each of ``topics`` is, in one question; without those that it does not have.

    Raises:
        BrokerUnavailableError: no broker answered in time.
    """
    admin = AdminClient(client_config(settings))
    return ask(settings, f"asking what {', '.join(topics)} is", lambda: _identities(admin, topics))


def _identities(admin: AdminClient, topics: Sequence[str]) -> dict[str, TopicIdentity]:
    cluster = admin.describe_cluster(request_timeout=TIMEOUT_S).result()
    found = {}
    for topic, answer in admin.describe_topics(TopicCollection(list(topics)), request_timeout=TIMEOUT_S).items():
        try:
            found[topic] = TopicIdentity(cluster.cluster_id, str(answer.result().topic_id))
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
    return found

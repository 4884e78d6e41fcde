"""Which topic a name stands for: the broker gives each topic an id when it is made, and each cluster has one."""

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from ingestion_layer.kafka.client import ask, client_config
from ingestion_layer.kafka.offsets import MissingTopicError
from tidemill.config.settings import Settings

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class TopicIdentity:
    """A topic deleted and made anew has another ``topic_id``."""

    cluster_id: str
    topic_id: str

    def __str__(self) -> str:
        return f"topic id {self.topic_id} of cluster {self.cluster_id}"


def topic_identity(settings: Settings, topic: str) -> TopicIdentity:
    """What the broker says that ``topic`` is.

    Raises:
        BrokerUnavailableError: no broker answered in time.
        MissingTopicError: there is no such topic.
    """
    admin = AdminClient(client_config(settings))
    return ask(settings, f"asking what {topic} is", lambda: _identity(admin, topic))


def _identity(admin: AdminClient, topic: str) -> TopicIdentity:
    cluster = admin.describe_cluster(request_timeout=TIMEOUT_S).result()
    try:
        described = admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)[topic].result()
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise MissingTopicError(f"the broker has no topic {topic}: run `tidemill topics create`") from error
        raise
    return TopicIdentity(cluster.cluster_id, str(described.topic_id))

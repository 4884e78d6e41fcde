"""A broker that belongs to one test module: it may be stopped, and its topics deleted and its data exchanged."""

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from confluent_kafka import KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from ingestion_layer.kafka.topics import topic_config
from tests.integration import topics
from tests.integration.conftest import settings_on_free_ports
from tidemill.config import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.services import kafka as kafka_service
from tidemill.stack.supervision.running import running


def with_empty_lake(settings: Settings, folder: Path, spark: SparkSession, topic: str) -> Settings:
    """``settings`` with a lake and checkpoints in ``folder``, and the tables of ``topic`` made."""
    stream = {"checkpoints": str(folder / "checkpoints"), "trigger_s": 0.2}
    own = settings.model_copy(
        update={
            "lake": settings.lake.model_copy(update={"root": str(folder / "lake")}),
            "stream": settings.stream.model_copy(update=stream),
        }
    )
    for table in (tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)):
        ensure_table(spark, table, own)
    return own


class OwnBroker:
    """A broker at ``settings``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._stack = ExitStack()
        self.start()

    @property
    def servers(self) -> str:
        return self.settings.kafka.bootstrap_servers

    @property
    def data(self) -> Path:
        """Where it keeps everything."""
        return Path(Folders.of(self.settings).home) / "kafka"

    def start(self) -> None:
        self.process = self._stack.enter_context(running(kafka_service.services(self.settings)[0], self.settings))

    def stop(self) -> None:
        self._stack.close()

    def make_anew(self, topic: str, partitions: int = 2, config: Mapping[str, str] | None = None) -> None:
        """Delete ``topic`` if it is there, and create it, empty."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        with contextlib.suppress(KafkaException):  # there was none
            topics.delete(admin, topic)
        topics.make(admin, NewTopic(topic, partitions, 1, config={**topic_config(self.settings), **(config or {})}))

    def configure(self, topic: str, config: Mapping[str, str]) -> None:
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries)
        admin = AdminClient({"bootstrap.servers": self.servers})
        admin.incremental_alter_configs([resource])[resource].result()

    def send(self, topic: str, *values: bytes | None, partition: int = 0, key: bytes | None = None) -> None:
        """Send ``values`` and wait for the acknowledgements."""
        producer = Producer({"bootstrap.servers": self.servers})
        for value in values:
            producer.produce(topic, value=value, key=key, partition=partition, on_delivery=_acknowledged)
        assert producer.flush(60) == 0

    def begin(self, topic: str, *values: bytes, identity: str = "tests", timeout_s: float = 60) -> Producer:
        """A producer that sent ``values`` to partition 0 in a transaction it has not ended."""
        options = {"transactional.id": identity, "transaction.timeout.ms": round(timeout_s * 1000)}
        producer = Producer({"bootstrap.servers": self.servers, "log_level": 0, **options})
        producer.init_transactions(30)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value=value, partition=0, on_delivery=_acknowledged)
        assert producer.flush(60) == 0
        return producer


@contextmanager
def own_broker(home: Path) -> Iterator[OwnBroker]:
    """A broker that keeps its data below ``home``."""
    broker = OwnBroker(settings_on_free_ports(home))
    try:
        yield broker
    finally:
        broker.stop()


def _acknowledged(error: object, _: Message) -> None:
    assert error is None, error

"""One Kafka node in KRaft mode, broker and controller in one."""

import base64
import logging
import uuid
from functools import partial
from pathlib import Path

from tidemill.config.errors import TerminalError
from tidemill.config.installation import SET_UP
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.machine.addresses import first_endpoint
from tidemill.stack.machine.java import java_binary
from tidemill.stack.service import Endpoint, Launch, MissingPrerequisiteError, NotReadyError, Run, Service

LOGGING = Path(__file__).resolve().parent / "kafka-log4j2.properties"
MAX_MESSAGE_BYTES = 10 * 1024 * 1024


class FolderNameError(TerminalError):
    """A folder whose name Kafka cannot be given."""


PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions={partitions}
log.retention.ms=-1
message.max.bytes={max_message}
replica.fetch.max.bytes={max_message}
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=6000
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""


def services(settings: Settings) -> tuple[Service, ...]:
    broker = first_endpoint(settings.kafka.bootstrap_servers, "kafka.bootstrap_servers")
    endpoints = [broker]
    if broker.is_local:
        endpoints.append(Endpoint("127.0.0.1", settings.kafka.controller_port, "kafka.controller_port"))
    kafka = Service(
        name="kafka",
        title="Kafka broker",
        address=settings.kafka.bootstrap_servers,
        endpoints=tuple(endpoints),
        launch=partial(launch, settings, broker),
        setup=partial(setup, settings, broker),
        probe=partial(probe, settings),
        stop_timeout_s=30,
    )
    return (kafka,)


def launch(settings: Settings, broker: Endpoint) -> Launch:
    return _java(settings, broker, "kafka.Kafka", str(_properties(settings)))


def setup(settings: Settings, broker: Endpoint, run: Run) -> None:
    """Formats the log folder, once."""
    if (_folder(settings) / "data" / "meta.properties").exists():
        return
    storage = ("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id(uuid.uuid4()))
    run(_java(settings, broker, *storage, "--config", str(_properties(settings))))


def cluster_id(random: uuid.UUID) -> str:
    """A Kafka id of 22 characters. The first is never a dash, which the storage tool takes for an option."""
    return base64.urlsafe_b64encode(b"\0" + random.bytes[1:]).decode().rstrip("=")


def server_properties(settings: Settings, broker: Endpoint) -> str:
    return PROPERTIES.format(
        host=broker.host,
        port=broker.port,
        controller=settings.kafka.controller_port,
        data=property_value(_folder(settings) / "data"),
        partitions=settings.kafka.partitions,
        max_message=MAX_MESSAGE_BYTES,
    )


def property_value(path: Path) -> str:
    """``path`` as Java reads it in a file of properties: Latin-1 with ``\\uXXXX``, a backslash doubled.

    Raises:
        FolderNameError: it has a comma, which ends a folder's name in ``log.dirs``.
    """
    if "," in str(path):
        raise FolderNameError(
            f"{path} has a comma, which Kafka takes for the end of a folder's name: move TIDEMILL_HOME"
        )
    units = str(path).replace("\\", "\\\\").encode("utf-16-be")
    return "".join(_character(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2))


def _character(unit: int) -> str:
    return chr(unit) if unit < 128 else f"\\u{unit:04x}"


def probe(settings: Settings, _since: float) -> None:
    """The broker answers a metadata request."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    silent = logging.Logger("librdkafka", logging.CRITICAL + 1)
    options = {"bootstrap.servers": settings.kafka.bootstrap_servers, **settings.kafka.client}
    try:
        AdminClient(options, logger=silent).list_topics(timeout=3)
    except KafkaException as error:
        raise NotReadyError(f"no metadata from {settings.kafka.bootstrap_servers}: {error.args[0].str()}") from error


def jars_folder(settings: Settings) -> Path:
    return settings.spark.jars.parent / "kafka"


def _java(settings: Settings, broker: Endpoint, *program: str) -> Launch:
    jars = jars_folder(settings)
    if not any(jars.glob("kafka_*.jar")):
        raise MissingPrerequisiteError(f"no Kafka jars in {jars}: run `{SET_UP}`")
    heap = (f"-Xmx{settings.kafka.heap_mb}m", "-Xms128m", "-XX:+UseG1GC", "-XX:+ExitOnOutOfMemoryError")
    temporary = f"-Djava.io.tmpdir={Folders.of(settings).temporary('kafka')}"
    command = (java_binary(), *heap, temporary, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", f"{jars}/*", *program)
    return Launch(command, files={str(_properties(settings)): server_properties(settings, broker)})


def _folder(settings: Settings) -> Path:
    return settings.home / "kafka"


def _properties(settings: Settings) -> Path:
    return _folder(settings) / "server.properties"

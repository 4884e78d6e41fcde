"""Flume: an agent that tails files of JSON lines into topics, each line at least once, through a channel on disk."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from ingestion_layer.kafka.topics import create_topics
from tidemill.config.errors import TerminalError
from tidemill.config.installation import IS_CLONE
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.machine.java import java_binary
from tidemill.stack.service import Launch, MissingPrerequisiteError, NotReadyError, Run, Service
from tidemill.stack.services.kafka import MAX_MESSAGE_BYTES, property_value

LOGGING = Path(__file__).resolve().parent / "flume-log4j2.properties"
MAKE_FLUME = "make setup-flume" if IS_CLONE else "tidemill setup flume"
LINE_BYTES = MAX_MESSAGE_BYTES - 64 * 1024
"""Of a longer line so much is sent, for quarantine to show: a broker would refuse all of it, again and again."""
BEHIND_BYTES = 1_000_000
"""So much of a topic that is not read yet is told: less is what a busy log grows by between two looks."""
POSITIONS_S = 1.0
NOT_COMPRESSED = r"(?!.*\.(?:gz|bz2|xz|zst|zip)$)"

AGENT = """\
agent.sources = {sources}
agent.channels = {channels}
agent.sinks = {sinks}
"""
FLOW = """\
agent.sources.{name}.type = TAILDIR
agent.sources.{name}.filegroups = files
agent.sources.{name}.filegroups.files = {files}
agent.sources.{name}.positionFile = {positions}
agent.sources.{name}.writePosInterval = {interval_ms}
agent.sources.{name}.batchSize = 1000
agent.sources.{name}.interceptors = bound
agent.sources.{name}.interceptors.bound.type = search_replace
agent.sources.{name}.interceptors.bound.charset = ISO-8859-1
agent.sources.{name}.interceptors.bound.searchPattern = (?s)^(.{{{line_bytes}}}).+$
agent.sources.{name}.interceptors.bound.replaceString = $1
agent.sources.{name}.channels = {name}
agent.channels.{name}.type = file
agent.channels.{name}.checkpointDir = {folder}/checkpoint
agent.channels.{name}.dataDirs = {folder}/data
agent.channels.{name}.capacity = {capacity}
agent.channels.{name}.transactionCapacity = 1000
agent.sinks.{name}.type = org.apache.flume.sink.kafka.KafkaSink
agent.sinks.{name}.kafka.topic = {topic}
agent.sinks.{name}.kafka.bootstrap.servers = {servers}
agent.sinks.{name}.kafka.producer.acks = all
agent.sinks.{name}.kafka.producer.compression.type = lz4
agent.sinks.{name}.kafka.producer.max.request.size = {max_message}
agent.sinks.{name}.flumeBatchSize = 1000
agent.sinks.{name}.channel = {name}
"""


class NoFilesToTailError(TerminalError):
    """Nobody said which files; the message names the setting."""


def services(settings: Settings) -> tuple[Service, ...]:
    """Not started unless named."""
    agent = Service(
        name="flume",
        title="Flume, which tails files into topics",
        address="",
        launch=partial(launch, settings),
        setup=partial(setup, settings),
        probe=partial(probe, settings),
        trouble=partial(trouble, settings),
        after=("kafka",),
        is_optional=True,
    )
    return (agent,)


def launch(settings: Settings) -> Launch:
    """Raises NoFilesToTailError, MissingPrerequisiteError."""
    jars = settings.spark.jars.parent / "flume"
    if not any(jars.glob("flume-ng-node-*.jar")):
        raise MissingPrerequisiteError(f"no jars of Flume in {jars}: run `{MAKE_FLUME}`")
    if not settings.flume.files:
        raise NoFilesToTailError(
            'flume.files is empty: say which files to tail, as `flume.files = {"shop.click.v1" = "/var/log/clicks*"}`'
        )
    for topic, pattern in _patterns(settings):
        if not pattern.parent.is_dir():
            raise MissingPrerequisiteError(f"flume.files: {topic}: there is no folder {pattern.parent}")
    configuration = _folder(settings) / "agent.properties"
    temporary = f"-Djava.io.tmpdir={Folders.of(settings).temporary('flume')}"
    options = (f"-Xmx{settings.flume.heap_mb}m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError")
    program = ("org.apache.flume.node.Application", "--name", "agent", "--no-reload-conf")
    logging = f"-Dlog4j2.configurationFile={LOGGING}"
    command = (java_binary(), *options, temporary, logging, "-cp", f"{jars}/*", *program)
    return Launch((*command, "--conf-file", str(configuration)), files={str(configuration): agent_properties(settings)})


def setup(settings: Settings, _run: Run) -> None:
    """Makes the topics: to one that is not there no line could go."""
    create_topics(settings, list(settings.flume.files))


def agent_properties(settings: Settings) -> str:
    """A source, a channel and a sink a topic, so that one topic's trouble holds up no other."""
    names = {topic: f"t{at}" for at, topic in enumerate(settings.flume.files)}
    every = " ".join(names.values())
    flows = [_flow(settings, names[topic], topic, pattern) for topic, pattern in _patterns(settings)]
    return AGENT.format(sources=every, channels=every, sinks=every) + "".join(flows)


def _flow(settings: Settings, name: str, topic: str, pattern: Path) -> str:
    text = FLOW.format(
        name=name,
        topic=topic,
        files=property_value(pattern.parent / file_expression(pattern.name)),
        positions=property_value(positions_file(settings, topic)),
        interval_ms=int(POSITIONS_S * 1000),
        line_bytes=LINE_BYTES,
        folder=property_value(_folder(settings) / topic),
        capacity=settings.flume.capacity,
        servers=settings.kafka.bootstrap_servers,
        max_message=MAX_MESSAGE_BYTES,
    )
    options = settings.flume.kafka_options.items()
    return text + "".join(f"agent.sinks.{name}.kafka.producer.{key} = {value}\n" for key, value in options)


def file_expression(pattern: str) -> str:
    """The regular expression of Java for the names that ``pattern`` matches; ``*`` is any text, ``?`` any one.

    A log that was compressed after its rotation is no text any more, and is left alone.
    """
    return NOT_COMPRESSED + "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)


def probe(settings: Settings, since: float) -> None:
    """Of each topic that has files it has noted, since its start, how far it is in them."""
    for topic, pattern in _patterns(settings):
        noted = positions_file(settings, topic)
        if any(_files(pattern)) and not (noted.exists() and noted.stat().st_mtime >= since):
            raise NotReadyError(f"it has not said yet how far it is in {pattern}")


def trouble(settings: Settings) -> str:
    """The topics of which more waits than logs grow by between two looks: the broker is away, or the disk is full."""
    waits = [(pattern, _unread_bytes(settings, topic, pattern)) for topic, pattern in _patterns(settings)]
    return "; ".join(f"{unread / 1e6:,.1f} MB of {files} wait" for files, unread in waits if unread > BEHIND_BYTES)


def positions_file(settings: Settings, topic: str) -> Path:
    """Where the agent notes, by inode, how much of each file is in the channel of ``topic``."""
    return _folder(settings) / f"{topic}.json"


def _unread_bytes(settings: Settings, topic: str, pattern: Path) -> int:
    """Of all files of ``topic``; 0 at the moment at which the agent writes how far it is."""
    read = _positions(positions_file(settings, topic))
    if read is None:
        return 0
    return sum(max(size - read.get(inode, 0), 0) for inode, size in _sizes(pattern).items())


def _sizes(pattern: Path) -> dict[int, int]:
    """Bytes by inode; a file is known by it also when it is renamed meanwhile."""
    sizes = {}
    for file in _files(pattern):
        with suppress(FileNotFoundError):  # renamed or deleted a moment ago
            state = file.stat()
            sizes[state.st_ino] = state.st_size
    return sizes


def _positions(noted: Path) -> dict[int, int] | None:
    """Bytes read by inode; None at the moment at which the agent writes it."""
    try:
        return {entry["inode"]: entry["pos"] for entry in json.loads(noted.read_text(encoding="utf-8"))}
    except FileNotFoundError:
        return {}
    except ValueError:
        return None


def _files(pattern: Path) -> Iterator[Path]:
    expression = re.compile(file_expression(pattern.name))
    yield from (file for file in pattern.parent.iterdir() if expression.fullmatch(file.name) and file.is_file())


def _patterns(settings: Settings) -> list[tuple[str, Path]]:
    return [(topic, Path(settings.expand(path))) for topic, path in settings.flume.files.items()]


def _folder(settings: Settings) -> Path:
    return settings.home / "flume"

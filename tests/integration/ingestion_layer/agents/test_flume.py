"""The real agent on a log that grows and is rotated: it is killed, the broker goes away, and every line arrives."""

import gzip
import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from data_lake import tables
from data_lake.delta_rs import open_table
from data_lake.delta_tables import ensure_table
from data_lake.reconciliation.reconcile import reconcile_topic
from tests.cases.kafka_messages import messages_after
from tests.cases.waiting import eventually
from tests.integration.own_broker import OwnBroker, own_broker
from tests.integration.stream_processing.test_stream import streaming
from tidemill.config import Settings
from tidemill.contracts import contract
from tidemill.contracts.events import event_at
from tidemill.stack.services import flume
from tidemill.stack.supervision.running import running

pytestmark = pytest.mark.ingestion
TOPIC = "shop.click.v1"
LINES = 20_000
ROTATED_EVERY = 3_000
BROKEN_EVERY = 100


class Agent:
    """Flume on ``settings``, which may be killed and started again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = ExitStack()

    def start(self) -> None:
        (service,) = flume.services(self._settings)
        self._process = self._stack.enter_context(running(service, self._settings))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._stack = ExitStack()

    def stop(self) -> None:
        self._stack.close()

    @property
    def process(self) -> subprocess.Popen[bytes]:
        return self._process


class Shop(threading.Thread):
    """Writes clicks to ``clicks.jsonl``, which is renamed when it is long, as logrotate does; some lines are broken."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.events: list[str] = []
        self.broken: list[bytes] = []
        self.written = 0

    def run(self) -> None:
        for number in range(LINES):
            if number % ROTATED_EVERY == ROTATED_EVERY - 1:
                self.log.rename(self.folder / f"clicks.jsonl.{number // ROTATED_EVERY}")
            with self.log.open("ab") as log:
                log.write(self._line(number))
            self.written += 1
            if not number % 100:
                time.sleep(0.1)

    @property
    def log(self) -> Path:
        return self.folder / "clicks.jsonl"

    def _line(self, number: int) -> bytes:
        if not number % BROKEN_EVERY:
            self.broken.append(b'{"number": %d, \xff' % number)
            return self.broken[-1] + b"\n"
        event = click(number)
        self.events.append(event["id"])
        return json.dumps(event).encode() + (b"\r\n" if number % 2 else b"\n")


def click(number: int) -> dict[str, str]:
    data = {"session_id": f"S{number}", "kind": "view", "page": "/", "device": "mobile"}
    return event_at(contract(TOPIC), "urn:test:flume", str(number), "2026-03-02T10:00:00Z", data)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    with own_broker(tmp_path / "home") as broker:
        broker.make_anew(TOPIC)
        yield broker


@pytest.fixture
def own(broker: OwnBroker, tmp_path: Path) -> Settings:
    (tmp_path / "logs").mkdir()
    tail = {"files": {TOPIC: f"{tmp_path}/logs/clicks.jsonl*"}, "capacity": 1_000}
    return broker.settings.model_copy(update={"flume": type(broker.settings.flume)(**tail)})


def in_a_lake(settings: Settings, spark: SparkSession) -> Settings:
    """``settings`` with the stream's tables of the topic."""
    for table in (tables.bronze(TOPIC), tables.silver(TOPIC), tables.quarantine(TOPIC)):
        ensure_table(spark, table, settings)
    return settings


@pytest.fixture
def agent(own: Settings) -> Iterator[Agent]:
    agent = Agent(own)
    yield agent
    agent.stop()


def values(settings: Settings) -> Counter[bytes]:
    return Counter(message.value() for message in messages_after(settings.kafka.bootstrap_servers, TOPIC, {}))


def test_lines_arrive_as_they_are_and_one_that_is_too_long_holds_up_none(
    agent: Agent, own: Settings, tmp_path: Path
) -> None:
    whole = [b'{"a": "\xc3\xa9\xff"}', b'{"b": 1}\r', b"{}"]
    long = b'{"x": "' + b"y" * (flume.LINE_BYTES + 100_000) + b'"}'
    log = tmp_path / "logs" / "clicks.jsonl"
    (tmp_path / "logs" / "clicks.jsonl.2.gz").write_bytes(gzip.compress(b'{"sent": "before"}\n'))
    log.write_bytes(b"\n".join([whole[0], long, *whole[1:], b'{"half": ']))
    agent.start()
    eventually(lambda: values(own).total() == 4, "four lines")
    with log.open("ab") as more:
        more.write(b'"done"}\n')
    eventually(lambda: values(own).total() == 5, "the line that was half written")
    assert set(values(own)) == {
        *(line.rstrip(b"\r") for line in whole),
        long[: flume.LINE_BYTES],
        b'{"half": "done"}',
    }


@pytest.mark.matrix
@pytest.mark.timeout(3_600)
def test_each_line_is_once_in_the_lake_when_agent_and_broker_are_killed_and_the_log_is_rotated(
    agent: Agent, broker: OwnBroker, own: Settings, tmp_path: Path, spark: SparkSession
) -> None:
    shop = Shop(tmp_path / "logs")
    agent.start()
    shop.start()
    eventually(lambda: shop.written > LINES // 4, "a quarter")
    agent.kill()
    eventually(lambda: shop.written > LINES // 2, "half")
    agent.start()
    broker.stop()
    shop.join()
    eventually(lambda: flume.trouble(own) != "", "lines that wait for the broker")
    broker.start()
    agent.kill()
    agent.start()
    eventually(lambda: len(values(own)) >= LINES, "every line")
    eventually(lambda: flume.trouble(own) == "", "nothing that waits")
    lake = in_a_lake(own, spark)
    with streaming(spark, lake, TOPIC):
        pass
    assert [str(finding) for finding in reconcile_topic(lake, TOPIC).findings] == []
    events = open_table(tables.silver(TOPIC), lake).to_pyarrow_table(columns=["event_id"])["event_id"].to_pylist()
    assert Counter(events) == Counter(shop.events)
    bad = open_table(tables.quarantine(TOPIC), lake).to_pyarrow_table(columns=["value"])["value"].to_pylist()
    assert set(bad) == set(shop.broken)

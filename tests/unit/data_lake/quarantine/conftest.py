"""A topic at the broker that is within librdkafka, and a lake of that topic written by delta-rs."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Message, Producer
from deltalake import DeltaTable, Schema

from data_lake import own_tables, tables
from data_lake.delta_rs import open_table
from data_lake.quarantine import Selection, origin
from data_lake.quarantine.fix import Fix
from data_lake.quarantine.replay import Replayed, dry_run, replay
from data_lake.schema import schema_json
from ingestion_layer.kafka.identity import TopicIdentity
from tests.cases.kafka_messages import messages_after
from tests.cases.lake import append_rows
from tidemill.config import Settings
from tidemill.contracts import checker, contract, event
from tidemill.contracts.checker import Event

TOPIC = "shop.transaction.v1"
TOPIC_ID = "aTopic/IdOf/22+Letters"
"""The broker's ids are base64: every third or so has a slash."""
AT = datetime(2024, 5, 2, 12, tzinfo=UTC)


def transaction(record: str, **data: Any) -> dict[str, Any]:
    """A valid event of ``record``, with fields of ``data`` changed."""
    fields = {
        "order_id": "o1",
        "line": 1,
        "customer_id": "c1",
        "product_id": "p1",
        "description": "mug",
        "quantity": 2,
        "unit_price": 2.55,
        "currency": "GBP",
        "country": "United Kingdom",
        "kind": "purchase",
    }
    return event(contract(TOPIC), "urn:test", record, datetime(2024, 5, 1, 9, 30, tzinfo=UTC), {**fields, **data})


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


@dataclass
class Quarantine:
    """The quarantine of TOPIC, its broker, and who replays it."""

    settings: Settings
    folder: Path
    offset: int = 0
    told: list[tuple[str, int, int]] = field(default_factory=list)

    def lay(self, value: bytes | None, reason: str = "schema", **columns: Any) -> int:
        """Put one message there, at the next offset of partition 0, which is returned."""
        row = {
            "topic": TOPIC,
            "partition": 0,
            "offset": self.offset,
            "broker_time": AT + timedelta(hours=self.offset),
            "key": b"as it was",
            "value": value,
            "headers": None,
            "ingested_at": AT,
            "ingest_date": AT.date(),
            "generation": 1,
            "reason": reason,
            "detail": "/data: is wrong",
        }
        append_rows(self.settings, tables.quarantine(TOPIC), [row | columns])
        self.offset += 1
        return self.offset - 1

    def hold(self, value: bytes) -> None:
        """Put the event of ``value`` into silver, as the stream does."""
        read = checker(TOPIC).read(value)
        assert isinstance(read, Event)
        time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=read.time)
        names = [column.name for column in tables.silver(TOPIC).columns]
        row = dict.fromkeys(names) | dict(zip(contract(TOPIC).schema["properties"], read.data, strict=True))
        row |= {"event_id": read.id, "source": read.source, "event_time": time, "event_date": time.date()}
        row |= {"event_month": f"{time:%Y-%m}", "_digest": read.digest, "_generation": 1, "_partition": 3}
        row |= {"_offset": 77, "broker_time": AT, "ingested_at": AT}
        append_rows(self.settings, tables.silver(TOPIC), [row])

    def fix(self, body: str) -> Fix:
        """``body`` is what the function does."""
        path = self.folder / "fix.py"
        path.write_text(f"import json\n\ndef fix(value, key, headers):\n    {body}\n")
        return Fix.read(path)

    def replay(self, fix: Fix | None = None, home: str = "home", **chosen: Any) -> Replayed:
        settings = self.settings.model_copy(update={"home": self.folder / home})
        tell = lambda doing, done, total: self.told.append((doing, done, total))  # noqa: E731
        return replay(settings, Selection(TOPIC, **chosen), fix, "a tester", tell)

    def dry_run(self, fix: Fix | None = None) -> Replayed:
        return dry_run(self.settings, Selection(TOPIC), fix, lambda doing, done, total: None)

    def sent(self) -> list[Message]:
        return messages_after(self.settings.kafka.bootstrap_servers, TOPIC, {})

    def links(self) -> list[int]:
        """The old offsets that messages of the topic are linked to, in order."""
        return sorted(read.offset for m in self.sent() if (read := origin.Origin.read(m.headers())) is not None)

    def ledger(self) -> list[dict[str, Any]]:
        """What is on record, oldest first, by offset and state."""
        rows = pa.table(open_table(own_tables.QUARANTINE_REPLAYS, self.settings).to_pyarrow_table()).to_pylist()
        return sorted(rows, key=lambda row: (row["offset"], row["attempt"], row["state"]))

    def states(self) -> list[tuple[int, str]]:
        return [(row["offset"], row["state"]) for row in self.ledger()]


@pytest.fixture
def servers() -> Iterator[str]:
    """The address of a broker for as long as its producer lives."""
    producer = Producer({"bootstrap.servers": "none:1", "test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(TOPIC, timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    producer.flush(1)


@pytest.fixture
def quarantine(settings: Settings, servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Quarantine:
    # That broker cannot say what its topics' ids are, so nobody can compare it with what bronze has read.
    identity = TopicIdentity("a cluster", TOPIC_ID)
    monkeypatch.setattr(origin, "topic_identity", lambda _settings, _topic: identity)
    monkeypatch.setattr(origin, "compare", lambda _settings, _topic: None)
    kafka = settings.kafka.model_copy(update={"bootstrap_servers": servers})
    lake = settings.lake.model_copy(update={"root": str(tmp_path / "lake")})
    own = settings.model_copy(update={"kafka": kafka, "lake": lake})
    for table in (tables.quarantine(TOPIC), tables.silver(TOPIC)):
        schema = Schema.from_json(json.dumps(schema_json(table.columns)))
        DeltaTable.create(table.path(own), schema, partition_by=list(table.partition_by))
    return Quarantine(own, tmp_path)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str], None]:
    """Let the next call of a method end the run, as kill -9 does; those after it pass."""

    def end_at(owner: object, name: str) -> None:
        method = getattr(owner, name)

        def once(*arguments: Any, **named: Any) -> Any:
            monkeypatch.setattr(owner, name, method)
            raise KeyboardInterrupt

        monkeypatch.setattr(owner, name, once)

    return end_at

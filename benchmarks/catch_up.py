"""A backlog in Kafka, brought to silver by the stream's own queries, against the same read parsed and thrown away.

    python benchmarks/catch_up.py [--file path/to/online-retail.csv.gz] [--scale 10]

It starts a broker of its own in a temporary folder and sends the order lines of the file (without one: a simulated
shop's) ``scale`` times, each time a year later and with new ids. Then, in one Spark session: Kafka to Spark's noop sink
through ``from_json``; Kafka to bronze to silver, both queries at once, until silver has read everything; the noop read
again. The ratio is the mean of the two noop reads over the time to silver: 1 would mean that landing, checking,
deduplicating and merging cost nothing.
"""

import argparse
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.spark import session
from ingestion_layer.kafka.offsets import topic_offsets
from ingestion_layer.kafka.producer import Event, EventProducer
from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.online_retail.source import OnlineRetailSource
from ingestion_layer.sources.progress import Progress
from ingestion_layer.sources.replay import Source
from ingestion_layer.sources.simulator.faults import Faults
from ingestion_layer.sources.simulator.history import SimulatorSource
from ingestion_layer.sources.simulator.shop import Shop
from stream_processing.spark_streaming.app import CONF
from stream_processing.spark_streaming.bronze.landing import read_topics, start_bronze
from stream_processing.spark_streaming.silver.batch import start_silver
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tidemill.config import Settings, load_settings
from tidemill.contracts import contract, data_ddl
from tidemill.stack.machine.ports import free_ports
from tidemill.stack.services import kafka
from tidemill.stack.supervision.running import running

TOPIC = "shop.transaction.v1"
LIMIT_S = 3600.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="the Online Retail file (default: a simulated shop)")
    parser.add_argument("--scale", type=int, default=1, help="how many times the rows are sent (default 1)")
    parser.add_argument("--conf", action="append", default=[], metavar="KEY=VALUE", help="a further Spark property")
    arguments = parser.parse_args()
    conf = CONF | dict(one.split("=", 1) for one in arguments.conf)
    with broker() as settings:
        sent = send(settings, arguments.file, arguments.scale)
        spark = session("catch-up", settings, conf)
        tell("rows in Kafka", sent)
        results = measure(spark, settings, sent)
        spark.stop()
    print(json.dumps({"scale": arguments.scale, "rows": sent, **results}, indent=2))


def measure(spark: SparkSession, settings: Settings, sent: int) -> dict[str, float | int]:
    """Seconds of each part, and the ratio."""
    for table in (tables.bronze(TOPIC), tables.silver(TOPIC), tables.quarantine(TOPIC)):
        ensure_table(spark, table, settings)
    before = seconds(lambda: read_to_noop(spark, settings))
    tell("Kafka to noop, s", before)
    lake = seconds(lambda: catch_up(spark, settings, sent))
    tell("Kafka to silver, s", lake)
    after = seconds(lambda: read_to_noop(spark, settings))
    tell("Kafka to noop again, s", after)
    silver = spark.read.format("delta").load(tables.silver(TOPIC).path(settings)).count()
    return {
        "silver_rows": silver,
        "noop_s": round((before + after) / 2, 2),
        "to_silver_s": round(lake, 2),
        "ratio": round((before + after) / 2 / lake, 3),
        "rows_per_second": round(sent / lake),
    }


def read_to_noop(spark: SparkSession, settings: Settings) -> None:
    """The same messages, parsed into columns and dropped."""
    offsets = topic_offsets(settings, TOPIC)
    data = data_ddl(contract(TOPIC))
    ddl = f"id STRING, source STRING, time STRING, data STRUCT<{data.replace('` ', '`: ')}>"
    event = F.from_json(F.col("value").cast("string"), ddl).alias("event")
    messages = read_topics(spark, settings, {TOPIC: {partition: of.low for partition, of in offsets.items()}})
    rows = messages.select("partition", "offset", event).select("*", "event.*", "event.data.*")
    checkpoint = f"{settings.checkpoints}/noop-{uuid.uuid4()}"
    writer = rows.drop("event", "data").writeStream.format("noop").option("checkpointLocation", checkpoint)
    writer.trigger(availableNow=True).start().awaitTermination()


def catch_up(spark: SparkSession, settings: Settings, sent: int) -> None:
    """The application's own two queries, until silver has read ``sent`` rows of bronze."""
    queries = [start_bronze(spark, settings, TOPIC), start_silver(spark, SilverIdentities(TOPIC, settings))]
    read: dict[int, int] = {}
    deadline = time.monotonic() + LIMIT_S
    while sum(read.values()) < sent:
        for query in queries:
            if (error := query.exception()) is not None:
                raise error
        read |= {one.batchId: one.numInputRows for one in queries[1].recentProgress}
        if time.monotonic() > deadline:
            raise TimeoutError(f"silver read {sum(read.values()):,} of {sent:,} rows in {LIMIT_S:.0f} s")
        time.sleep(0.1)
    for query in queries:
        query.stop()


def send(settings: Settings, file: Path | None, scale: int) -> int:
    """Put the order lines into Kafka; how many."""
    ensure_topics(settings)
    with EventProducer(settings) as producer:
        for copy in range(scale):
            producer.send(TOPIC, order_lines(settings, file, copy), lambda *_: None)
        return producer.flush().total


def order_lines(settings: Settings, file: Path | None, copy: int) -> Iterator[Event]:
    """The events of the source; those of a further ``copy`` are later by as many years and have ids of their own."""
    for batch in source(settings, file).batches(Progress()):
        for event in batch.outgoing.get(TOPIC, ()):
            if isinstance(event, dict):
                yield moved(event, copy) if copy else event


def moved(event: Event, years: int) -> Event:
    """``event`` some years later, on another record; 29 February becomes 28 February."""
    year, rest = int(event["time"][:4]) + years, event["time"][4:].replace("-02-29T", "-02-28T")
    name = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{event['id']}/{years}"))
    return {**event, "id": name, "time": f"{year:04}{rest}"}


def source(settings: Settings, file: Path | None) -> Source:
    if file is not None:
        return OnlineRetailSource(settings, file)
    shop = Shop(seed=1, customers=20_000, start=date(2010, 12, 1), end=date(2011, 12, 10), browsing=0.0)
    return SimulatorSource(settings, shop, Faults(duplicate=0.01))


@contextmanager
def broker() -> Iterator[Settings]:
    """Settings of a temporary home, its broker running."""
    with tempfile.TemporaryDirectory(prefix="tidemill-catch-up-") as home:
        port, controller = free_ports(2)
        changes = {
            "TIDEMILL_HOME": home,
            "TIDEMILL_KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
            "TIDEMILL_KAFKA__CONTROLLER_PORT": str(controller),
        }
        settings = load_settings(changes)
        with running(kafka.services(settings)[0], settings):
            yield settings


def seconds(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def tell(what: str, value: float) -> None:
    print(f"{what}: {value:,.1f}", flush=True)


if __name__ == "__main__":
    main()

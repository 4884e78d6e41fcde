"""Rows of a csv file of the retail width to checked events on a local broker, against parts of that work alone.

    python benchmarks/ingest.py --file path/to/online-retail.csv.gz [--rounds 3]

It starts a broker of its own in a temporary folder, and takes in turns, ``--rounds`` times: reading the file with
Python's ``csv`` and nothing else; sending messages that are ready (as many, as large) with the same producer; and
``tidemill ingest files`` from the first byte to the last acknowledgement, with one process and with as many as there
are cores. ``cpu`` is this process's and its children's processor time a row; the broker's is not in it.
"""

import argparse
import csv
import gc
import gzip
import io
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.broker import broker
from ingestion_layer.kafka.producer import EventProducer, RawMessage
from ingestion_layer.kafka.topics import ensure_topics
from ingestion_layer.sources.mapped.files import FileSource
from ingestion_layer.sources.mapped.mapping import SourceMapping, checked_mapping
from ingestion_layer.sources.replay import replay
from tidemill.config import Settings

MAPPING = """
contract: shop.transaction.v1
source: urn:tidemill:benchmark
id: [InvoiceNo, StockCode, Quantity, UnitPrice]
time: {column: InvoiceDate}
zone: Europe/London
columns:
  InvoiceNo: order_id
  StockCode: product_id
  Description: description
  Quantity: quantity
  UnitPrice: unit_price
  CustomerID: {property: customer_id, whole: true}
  Country: country
constants: {line: 1, currency: GBP, kind: purchase}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--file", type=Path, required=True, help="the Online Retail csv or csv.gz")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with broker() as settings, tempfile.TemporaryDirectory() as folder:
        ensure_topics(settings)
        (file := Path(folder) / "retail.yaml").write_text(MAPPING, encoding="utf-8")
        mapping = checked_mapping(file)
        ready = messages(settings, mapping, options.file)
        gc.freeze()  # the command has not so much that Python would go through again and again
        ways: dict[str, Callable[[], int]] = {
            "csv read alone": partial(read_alone, options.file),
            "ready messages sent": partial(send_ready, settings, mapping.topic, ready),
            "ingest files, 1 process": partial(ingest, settings, mapping, options.file, 1),
            f"ingest files, {cores} processes": partial(ingest, settings, mapping, options.file, cores),
        }
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, way in ways.items():
                runs[name].append(measured(way))
    tell(runs)


def messages(settings: Settings, mapping: SourceMapping, file: Path) -> list[RawMessage]:
    """What the file's rows are sent as."""
    source = FileSource(settings, mapping, file)
    judge = source.judge()
    chunks = source.chunks()
    return [message for judged in map(judge.judge, chunks) for message in map(RawMessage, judged.keys, judged.values)]


def read_alone(file: Path) -> int:
    with io.TextIOWrapper(gzip.open(file) if file.suffix == ".gz" else file.open("rb"), "utf-8", newline="") as text:
        return sum(1 for _ in csv.reader(text)) - 1


def send_ready(settings: Settings, topic: str, ready: list[RawMessage]) -> int:
    with EventProducer(settings) as producer:
        producer.send(topic, ready)
        return producer.flush().total


def ingest(settings: Settings, mapping: SourceMapping, file: Path, processes: int) -> int:
    source = FileSource(settings, mapping, file, processes)
    _ = source.total
    sent = replay(settings, source, again=True, on_position=lambda _: None)
    return sent.total


def measured(way: Callable[[], int]) -> tuple[float, float]:
    """Rows a second, and microseconds of processor time a row."""
    began, used = time.perf_counter(), cpu_s()
    count = way()
    return count / (time.perf_counter() - began), (cpu_s() - used) / count * 1e6


def cpu_s() -> float:
    of = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in of)


def tell(runs: dict[str, list[tuple[float, float]]]) -> None:
    medians = {name: [statistics.median(values) for values in zip(*of, strict=True)] for name, of in runs.items()}
    base = medians["ready messages sent"][0]
    for name, (rate, cpu) in medians.items():
        print(f"{name:28} {rate:>10,.0f} rows/s   cpu {cpu:5.1f} us/row   {rate / base:5.2f} x ready messages")


if __name__ == "__main__":
    main()

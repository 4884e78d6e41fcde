"""Mappings written for a test, and the reading of a file through one."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from ingestion_layer.sources.mapped.chunk import Chunk, Reject
from ingestion_layer.sources.mapped.events import Judge
from ingestion_layer.sources.mapped.formats.choice import reader
from ingestion_layer.sources.mapped.mapping import SourceMapping, checked_mapping

ORDERS = """
contract: shop.transaction.v1
source: urn:test:orders
id: [order, line]
time: {column: at}
zone: UTC
columns:
  order: order_id
  line: line
  customer: customer_id
  product: product_id
  text: description
  quantity: quantity
  price: unit_price
  land: country
constants: {currency: GBP, kind: purchase}
"""
HEADER = ("order", "line", "customer", "product", "text", "quantity", "price", "land", "at")
ROW = ("A1", "1", "17850", "85123A", "LANTERN", "6", "2.55", "United Kingdom", "2010-12-01 08:26:00")


def mapping(folder: Path, text: str = ORDERS, name: str = "orders") -> SourceMapping:
    file = folder / f"{name}.yaml"
    file.write_text(text, encoding="utf-8")
    return checked_mapping(file)


def judged(chunks: Iterable[Chunk], by: SourceMapping) -> tuple[list[dict[str, Any]], list[Reject]]:
    """The events and the rejects of some chunks."""
    judge = Judge(by, "a-digest")
    events: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for chunk in chunks:
        of_chunk = judge.judge(chunk)
        events += [orjson.loads(value) for value in of_chunk.values]
        rejects += of_chunk.rejects
    return events, rejects


def read(path: Path, by: SourceMapping) -> tuple[list[dict[str, Any]], list[Reject]]:
    """The events and the rejects of a whole file, which is tried first."""
    of = reader(path, by)
    of.check()
    return judged(of.chunks(0), by)


def order(**cells: str) -> list[str]:
    """A row of an orders file, with other cells."""
    return list((dict(zip(HEADER, ROW, strict=True)) | cells).values())

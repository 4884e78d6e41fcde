"""What is accepted is in silver with the very value that was sent, at any depth; what is not is in quarantine."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from data_lake import tables
from data_lake.delta_tables import ensure_table
from data_lake.reconciliation.index import topic_index
from data_lake.reconciliation.reconcile import evaluate
from data_lake.table import Table
from ingestion_layer.kafka.offsets import Offsets
from stream_processing.spark_streaming.silver.batch import batch_writer
from stream_processing.spark_streaming.silver.conflicts import SilverIdentities
from tests.cases import json_documents
from tests.integration.stream_processing.conftest import transaction
from tidemill.config import Settings
from tidemill.contracts import checker, contracts, registry
from tidemill.contracts.registry import ENVELOPE_FILE, SCHEMAS

TYPES_TOPIC = "test.types.v1"
DOCUMENTS = 1_500
LEAVES: dict[str, dict[str, Any]] = {
    "whole": {"type": ["integer", "null"]},
    "double": {"type": ["number", "null"]},
    "money": {"type": ["number", "null"], "x-decimal": [18, 4]},
    "widest": {"type": ["number", "null"], "x-decimal": [38, 38]},
    "text": {"type": ["string", "null"]},
    "time": {"type": ["string", "null"], "format": "date-time"},
    "truth": {"type": ["boolean", "null"]},
}


def properties() -> dict[str, Any]:
    """Every type alone, in arrays, in maps, and two deep; and names that a frame on the way could have, too."""
    arrays = {f"{name}_array": {"type": "array", "items": leaf} for name, leaf in LEAVES.items()}
    maps = {f"{name}_map": {"type": "object", "additionalProperties": leaf} for name, leaf in LEAVES.items()}
    deep = {f"{name}s": {"type": ["array", "null"], "items": inner} for name, inner in {**arrays, **maps}.items()}
    named = json_documents.contract_of(random.Random(1)).schema["properties"]
    return {**LEAVES, **arrays, **maps, **deep, **named}


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The contract of :func:`properties`."""
    schema = {
        "$id": f"urn:tidemill:{TYPES_TOPIC}",
        "x-topic": TYPES_TOPIC,
        "x-table": "types",
        "x-key": ["text"],
        "type": "object",
        "properties": properties(),
        "required": [],
    }
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / f"{TYPES_TOPIC}.json").write_text(json.dumps(schema), encoding="utf-8")
    for path in SCHEMAS.glob("*.json"):
        if path != ENVELOPE_FILE:
            (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(registry, "SCHEMAS", folder)
    caches = (contracts, checker, tables._tables)
    for cached in caches:
        cached.cache_clear()
    yield
    monkeypatch.undo()
    for cached in caches:
        cached.cache_clear()


def rows(settings: Settings, table: Table, offset: str) -> dict[int, dict[str, Any]]:
    """What the table holds by the message's offset, read without Spark."""
    return {row[offset]: row for row in DeltaTable(table.path(settings)).to_pyarrow_table().to_pylist()}


def test_silver_has_the_values_that_were_sent(
    spark: SparkSession, lake: Settings, messages: Callable[..., DataFrame], published: None
) -> None:
    rng = random.Random(19)
    documents = [json_documents.data(rng, properties(), share=0.1) for _ in range(DOCUMENTS)]
    bronze, silver, quarantine = (of(TYPES_TOPIC) for of in (tables.bronze, tables.silver, tables.quarantine))
    for table in (bronze, silver, quarantine):
        ensure_table(spark, table, lake)
    envelope = json.dumps({**transaction("r"), "type": TYPES_TOPIC, "id": "ID", "data": 0})
    values = [
        envelope.replace('"ID"', f'"{number}"').replace('"data": 0', f'"data": {document.text}').encode()
        for number, document in enumerate(documents)
    ]
    landed = messages(values)
    landed.write.format("delta").mode("append").save(bronze.path(lake))
    batch_writer(SilverIdentities(TYPES_TOPIC, lake))(landed, 0)

    stored, refused = rows(lake, silver, "_offset"), rows(lake, quarantine, "offset")
    assert {row["reason"] for row in refused.values()} == {"unrepresentable"}
    assert min(len(stored), len(refused)) > DOCUMENTS / 10
    for offset, document in enumerate(documents):
        assert (offset in stored, offset in refused) == (document.fits, not document.fits), document.text
        for name in properties() if document.fits else ():
            held, sent = stored[offset][name], document.value.get(name)
            assert json_documents.agrees(held, sent), (name, held, sent, document.text)

    with topic_index(lake, TYPES_TOPIC, {0: Offsets(0, DOCUMENTS, DOCUMENTS)}, []) as index:
        assert evaluate(index, TYPES_TOPIC).findings == ()

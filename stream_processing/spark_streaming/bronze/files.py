"""Messages of any number of topics into files of their tables, written by the executors in one job.

Spark's own sink writes one table a query, and a plan and jobs of its own each time. A file is part of a table once the
table's log says so: what a killed task left behind is no part of it, and VACUUM removes it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs
from pyarrow import parquet as pq

TOPIC, INGEST_DATE = "topic", "ingest_date"
WRITTEN = "topic STRING, path STRING, ingest_date STRING, size BIGINT, statistics STRING, firsts MAP<INT, BIGINT>"
"""A row a file; ``firsts`` has the first offset of each partition."""
SCHEMA = pa.schema(
    [
        (TOPIC, pa.string()),
        ("path", pa.string()),
        (INGEST_DATE, pa.string()),
        ("size", pa.int64()),
        ("statistics", pa.string()),
        ("firsts", pa.map_(pa.int32(), pa.int64())),
    ]
)


@dataclass(frozen=True)
class Target:
    """Where the files of a topic go, and the generation its messages are of."""

    location: str
    generation: int


@dataclass(frozen=True)
class FileWriter:
    """Writes rows with bronze's columns, and yields what was written, as :data:`WRITTEN`.

    Rows of a topic without a target are left out.
    """

    targets: Mapping[str, Target]
    storage_options: Mapping[str, str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        open_files: dict[str, _File] = {}
        for batch in batches:
            for topic in pc.unique(batch[TOPIC]).to_pylist():
                if topic not in self.targets:
                    continue
                if topic not in open_files:
                    open_files[topic] = _File(topic, self.targets[topic], self.storage_options)
                open_files[topic].write(batch.filter(pc.equal(batch[TOPIC], topic)))
        rows = [file.close() for file in open_files.values()]
        yield pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


@dataclass
class _File:
    """A file being written. All rows of a batch were taken in at one time, so they have one ``ingest_date``."""

    topic: str
    target: Target
    storage_options: Mapping[str, str]
    rows: int = 0
    offsets: dict[int, tuple[int, int]] = field(default_factory=dict)
    _path: str = ""
    _writer: pq.ParquetWriter | None = None

    def write(self, rows: pa.RecordBatch) -> None:
        generation = pa.array([self.target.generation] * len(rows), pa.int32())
        whole = rows.append_column("generation", generation)
        if self._writer is None:
            self._open(whole.schema, rows[INGEST_DATE][0].as_py().isoformat())
        self._writer.write_batch(whole.drop_columns([INGEST_DATE]))  # type: ignore[union-attr]
        self.rows += len(rows)
        spans = pa.table(rows.select(["partition", "offset"]).to_struct_array().flatten(), ["partition", "offset"])
        for span in spans.group_by("partition").aggregate([("offset", "min"), ("offset", "max")]).to_pylist():
            first, last = self.offsets.get(span["partition"], (span["offset_min"], span["offset_max"]))
            self.offsets[span["partition"]] = min(first, span["offset_min"]), max(last, span["offset_max"])

    def close(self) -> dict[str, Any]:
        self._writer.close()  # type: ignore[union-attr]
        return {
            TOPIC: self.topic,
            "path": self._path,
            INGEST_DATE: self._path.split("/")[0].removeprefix(f"{INGEST_DATE}="),
            "size": self._files.get_file_info(self._path).size,
            "statistics": json.dumps(self._statistics()),
            "firsts": [(partition, first) for partition, (first, _) in sorted(self.offsets.items())],
        }

    def _open(self, schema: pa.Schema, ingest_date: str) -> None:
        handler = DeltaStorageHandler(self.target.location, dict(self.storage_options) or None)
        self._files = fs.PyFileSystem(handler)
        self._path = f"{INGEST_DATE}={ingest_date}/part-{uuid4()}.snappy.parquet"
        kept = schema.remove(schema.get_field_index(INGEST_DATE))
        # Without a dictionary of values, so that a file's size tells what reading it takes, to a factor.
        options: dict[str, Any] = {"compression": "snappy", "use_dictionary": [TOPIC]}
        self._writer = pq.ParquetWriter(self._path, kept, filesystem=self._files, **options)

    def _statistics(self) -> dict[str, Any]:
        """Of the columns that the table's declaration names."""
        numbers = {"generation": (self.target.generation, self.target.generation)}
        numbers["partition"] = min(self.offsets), max(self.offsets)
        numbers["offset"] = (
            min(first for first, _ in self.offsets.values()),
            max(last for _, last in self.offsets.values()),
        )
        return {
            "numRecords": self.rows,
            "minValues": {name: low for name, (low, _) in numbers.items()},
            "maxValues": {name: high for name, (_, high) in numbers.items()},
            "nullCount": dict.fromkeys(numbers, 0),
        }

"""Files of bronze, of any number of topics, judged in one Spark job; what it made of them comes to the driver.

For little news: the files' sizes are known before, so what comes is bounded.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs
from pyarrow import parquet as pq
from pyspark.sql import SparkSession

from stream_processing.spark_streaming.silver.parse import READ, Parser

JUDGED = "topic STRING, parsed BINARY"
"""A row a file: what :class:`Parser` made of it, as a stream of Arrow's."""
MESSAGE_SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("broker_time", pa.timestamp("us", "UTC")),
        ("key", pa.binary()),
        ("value", pa.binary()),
        ("headers", pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))),
        ("ingested_at", pa.timestamp("us", "UTC")),
        ("ingest_date", pa.date32()),
        ("generation", pa.int32()),
    ]
)
PARTITION = "ingest_date="


@dataclass(frozen=True)
class FileJudge:
    """Reads files of bronze and judges their messages, on an executor; ``locations`` are the tables', by topic."""

    parsers: Mapping[str, Parser]
    locations: Mapping[str, str]
    storage_options: Mapping[str, str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                parsed = self.parsers[row["topic"]].parse(self._messages(row["topic"], row["path"]))
                sink = pa.BufferOutputStream()
                with pa.ipc.new_stream(sink, parsed.schema) as stream:
                    stream.write_batch(parsed)
                yield pa.RecordBatch.from_pydict({"topic": [row["topic"]], "parsed": [sink.getvalue().to_pybytes()]})

    def _messages(self, topic: str, path: str) -> pa.RecordBatch:
        handler = DeltaStorageHandler(self.locations[topic], dict(self.storage_options) or None)
        file = pq.ParquetFile(fs.PyFileSystem(handler).open_input_file(path), coerce_int96_timestamp_unit="us")
        rows = file.read()
        day = next(part.removeprefix(PARTITION) for part in unquote(path).split("/") if part.startswith(PARTITION))
        days = pa.array([day] * len(rows), pa.string()).cast(pa.date32())
        taken = {name: rows[name] for name in READ if name in rows.column_names} | {"ingest_date": days}
        columns = [
            taken[field.name].cast(field.type) if field.name in taken else pa.nulls(len(rows), field.type)
            for field in MESSAGE_SCHEMA
        ]
        (batch,) = pa.table(columns, schema=MESSAGE_SCHEMA).combine_chunks().to_batches() or [_empty()]
        return batch


def judge_files(spark: SparkSession, judge: FileJudge, paths: Mapping[str, Sequence[str]]) -> dict[str, pa.Table]:
    """The parsed messages of the files at ``paths``, by topic."""
    files = [(topic, path) for topic, of in paths.items() for path in of]
    asked = pa.table({"topic": [topic for topic, _ in files], "path": [path for _, path in files]})
    judged = spark.createDataFrame(asked).mapInArrow(judge, JUDGED).toArrow()
    parsed = defaultdict(list)
    for topic, stream in zip(judged["topic"].to_pylist(), judged["parsed"].to_pylist(), strict=True):
        parsed[topic].append(pa.ipc.open_stream(stream).read_all())
    return {topic: pa.concat_tables(tables) for topic, tables in parsed.items()}


def _empty() -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=MESSAGE_SCHEMA)

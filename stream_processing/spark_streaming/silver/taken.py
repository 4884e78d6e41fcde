"""How far silver has taken in bronze, by the version of bronze's table, noted beside the checkpoints.

Silver's writes may be repeated, so the note may lag behind the tables, and never runs ahead of them.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

from stream_processing.spark_streaming.queries.query import SILVER
from tidemill.config.settings import Settings

NOTE, BUFFER = "taken", 2**16
ROUND = f"{SILVER}/round"


@dataclass(frozen=True)
class Taken:
    """All commits of the bronze table ``table_id`` up to ``version`` are in silver; -1 before the first."""

    table_id: str
    version: int


def read_taken(settings: Settings, topic: str) -> Taken | None:
    """What is noted of ``topic``; None before the first note, or when it was killed while it was written."""
    try:
        return Taken(**json.loads(_read(settings, f"{SILVER}/{topic}/{NOTE}")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_taken(settings: Settings, topic: str, taken: Taken) -> None:
    """Replace the note of ``topic``."""
    _write(settings, f"{SILVER}/{topic}/{NOTE}", json.dumps(asdict(taken)))


def read_round(settings: Settings) -> list[str]:
    """The topics of the round that ran when the process ended; none when it was in none."""
    try:
        return [str(topic) for topic in json.loads(_read(settings, ROUND))]
    except (FileNotFoundError, ValueError):
        return []


def write_round(settings: Settings, topics: Sequence[str]) -> None:
    """Note, before their messages are touched, the topics of a round."""
    _write(settings, ROUND, json.dumps(list(topics)))


def clear_round(settings: Settings) -> None:
    """The round has ended, well or not."""
    write_round(settings, ())


def _read(settings: Settings, path: str) -> bytes:
    with fs.PyFileSystem(_files(settings)).open_input_file(path) as file:
        return bytes(file.read())


def _write(settings: Settings, path: str, text: str) -> None:
    # Buffered, for delta-rs' file takes Python's bytes, which pyarrow makes of its buffers only for a stream above it.
    with pa.BufferedOutputStream(fs.PyFileSystem(_files(settings)).open_output_stream(path), BUFFER) as file:
        file.write(text.encode())


def _files(settings: Settings) -> DeltaStorageHandler:
    """The folder of all checkpoints, with the lake's own way to its store: no JVM is asked."""
    root = settings.checkpoints
    uri = f"s3://{root.removeprefix('s3a://')}" if root.startswith("s3a://") else root
    if "://" not in uri:
        Path(uri).mkdir(parents=True, exist_ok=True)
    return DeltaStorageHandler(uri, settings.lake.storage_options or None)

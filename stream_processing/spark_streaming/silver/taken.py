"""How far silver has taken in bronze, by the version of bronze's table, noted beside the checkpoints.

Silver's writes may be repeated, so the note may lag behind the tables, and never runs ahead of them.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from data_lake.delta_rs import checkpoint_storage
from stream_processing.spark_streaming.queries.query import SILVER
from tidemill.config.settings import Settings

NOTE, BUFFER = "taken", 2**16


@dataclass(frozen=True)
class Taken:
    """All commits of the bronze table ``table_id`` up to ``version`` are in silver; -1 before the first.

    ``is_begun`` when a round has touched what comes next: it is not to be taken for the first time again.
    """

    table_id: str
    version: int
    is_begun: bool = False


def read_taken(settings: Settings, topic: str) -> Taken | None:
    """What is noted of ``topic``; None before the first note."""
    if "://" not in settings.checkpoints and not Path(settings.checkpoints).is_dir():
        return None
    try:
        with fs.PyFileSystem(checkpoint_storage(settings)).open_input_file(_path(topic)) as file:
            return Taken(**json.loads(file.read()))
    except FileNotFoundError:
        return None


def write_taken(settings: Settings, topic: str, taken: Taken) -> None:
    """Replace the note of ``topic``, in one step."""
    if "://" not in settings.checkpoints:
        Path(settings.checkpoints).mkdir(parents=True, exist_ok=True)
    stream = fs.PyFileSystem(checkpoint_storage(settings)).open_output_stream(_path(topic))
    # Buffered, for delta-rs' file takes Python's bytes, which pyarrow makes of its buffers only for a stream above it.
    with pa.BufferedOutputStream(stream, BUFFER) as file:
        file.write(json.dumps(asdict(taken)).encode())


def _path(topic: str) -> str:
    return f"{SILVER}/{topic}/{NOTE}"

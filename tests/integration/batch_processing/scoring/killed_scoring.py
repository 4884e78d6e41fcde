"""Scores, and then hangs with every row written and nothing committed: to be killed there.

    python killed_scoring.py USE_CASE TIME MARKER

``MARKER`` is a file that is there once the rows are on their way to disk.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from batch_processing.scoring import score as scoring
from batch_processing.scoring.window import Window
from data_lake.job import stopped_session
from ml_modeling.use_case import load_use_case
from tidemill.config import load_settings


def hanging(rows: DataFrame, marker: str) -> DataFrame:
    """``rows``, whose tasks never end."""

    def hang(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from batches
        Path(marker).touch()
        time.sleep(3_600)

    return rows.mapInArrow(hang, rows.schema)


def main(use_case: str, at: str, marker: str) -> None:
    answered = scoring.answered
    scoring.answered = lambda *asked: hanging(answered(*asked), marker)  # type: ignore[assignment]
    settings = load_settings()

    def session() -> AbstractContextManager[SparkSession]:
        return stopped_session("killed", settings)

    scoring.score(settings, load_use_case(use_case), Window.at(datetime.fromisoformat(at)), None, session)


if __name__ == "__main__":
    main(*sys.argv[1:])

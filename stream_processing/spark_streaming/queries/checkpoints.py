"""What the checkpoint of a query says: which batches it finished, and up to where these read the source."""

import json
from typing import Any

from pyspark.sql import SparkSession

from data_lake.hadoop_files import names, read_text
from stream_processing.spark_streaming.queries.query import checkpoint
from tidemill.config.settings import Settings


def read_up_to(spark: SparkSession, settings: Settings, name: str) -> dict[str, Any]:
    """The offset of its source up to which query ``name`` has finished; empty before its first batch.

    The shape is that of the source: ``{topic: {partition: offset}}`` for Kafka, Delta's ``reservoirVersion``, ....
    """
    finished = last_finished(spark, settings, name)
    if finished < 0:
        return {}
    # Below the version of the format and the batch's own settings stands a line a source; a query here has one.
    source = read_text(spark, f"{checkpoint(settings, name)}/offsets/{finished}").splitlines()[2]
    offset: dict[str, Any] = json.loads(source)
    return offset


def last_finished(spark: SparkSession, settings: Settings, name: str) -> int:
    """The number of the last batch that query ``name`` finished; -1 before the first."""
    files = names(spark, f"{checkpoint(settings, name)}/commits")
    return max((int(file) for file in files if file.isdigit()), default=-1)


def is_in_a_batch(spark: SparkSession, settings: Settings, name: str) -> bool:
    """Whether query ``name`` has begun a batch and did not finish it."""
    begun = (file for file in names(spark, f"{checkpoint(settings, name)}/offsets") if file.isdigit())
    return max(map(int, begun), default=-1) > last_finished(spark, settings, name)

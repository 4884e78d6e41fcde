"""What the checkpoint of a query says: which batches it finished, and up to where these read the source."""

import json
from typing import Any

from pyspark.sql import SparkSession

from config.settings import Settings
from stream_processing.spark_streaming.query import checkpoint


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


def names(spark: SparkSession, folder: str) -> list[str]:
    """The names of the files in ``folder``, a path of Hadoop's; none when it is not there."""
    files, path = _file_system(spark, folder)
    return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []


def read_text(spark: SparkSession, file: str) -> str:
    """The text in ``file``, a path of Hadoop's; empty when it is not there."""
    files, path = _file_system(spark, file)
    if not files.exists(path):
        return ""
    stream = files.open(path)
    try:
        return bytes(stream.readAllBytes()).decode()
    finally:
        stream.close()


def write_text(spark: SparkSession, file: str, text: str) -> None:
    """Replace ``file``, a path of Hadoop's; a process that is killed meanwhile may leave a part of the text."""
    files, path = _file_system(spark, file)
    stream = files.create(path, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def remove(spark: SparkSession, file: str) -> None:
    """Remove ``file``, a path of Hadoop's, if it is there."""
    files, path = _file_system(spark, file)
    files.delete(path, True)


def _file_system(spark: SparkSession, file: str) -> tuple[Any, Any]:
    context: Any = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(file)
    return path.getFileSystem(context._jsc.hadoopConfiguration()), path

"""What a client of an object store does on this machine when Spark is local; the store itself is not here."""

from pathlib import Path

import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from data_lake.spark import RAW_FILES, spark_conf
from tidemill.config import Settings

PREFIX = "spark.hadoop."


def buffer_file(spark: SparkSession, properties: dict[str, str], folder: Path) -> str:
    """The file that a client of an object store would buffer an upload in, made as S3A makes it."""
    hadoop = spark.sparkContext._jvm.org.apache.hadoop
    conf = hadoop.conf.Configuration()
    for name, value in properties.items():
        if name.startswith(PREFIX):
            conf.set(name.removeprefix(PREFIX), value)
    # The session's own file systems are in the JVM's cache already.
    conf.set("fs.file.impl.disable.cache", "true")
    conf.set("buffer.dir", str(folder))
    return str(hadoop.fs.LocalDirAllocator("buffer.dir").createTmpFileForWrite("upload", 10, conf))


def at(settings: Settings, root: str) -> Settings:
    return settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": root})})


def test_a_lake_in_an_object_store_can_buffer_its_uploads(
    spark: SparkSession, settings: Settings, tmp_path: Path
) -> None:
    made = buffer_file(spark, spark_conf(at(settings, "s3a://bucket/lake")), tmp_path)
    assert Path(made).parent == tmp_path


def test_the_file_system_without_checksums_could_not(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(Py4JJavaError, match="ClassCastException"):
        buffer_file(spark, RAW_FILES, tmp_path)


def test_a_lake_of_local_files_goes_on_without_checksums(settings: Settings, tmp_path: Path) -> None:
    assert RAW_FILES.items() <= spark_conf(at(settings, str(tmp_path))).items()

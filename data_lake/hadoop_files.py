"""Small text files on whatever file system Spark writes to."""

from typing import Any

from pyspark.sql import SparkSession


def names(spark: SparkSession, folder: str) -> list[str]:
    """The names of the files in ``folder``, a path of Hadoop's; none when it is not there."""
    files, path = file_system(spark, folder)
    return [status.getPath().getName() for status in files.listStatus(path)] if files.exists(path) else []


def read_text(spark: SparkSession, file: str) -> str:
    """The text in ``file``, a path of Hadoop's; empty when it is not there."""
    files, path = file_system(spark, file)
    if not files.exists(path):
        return ""
    stream = files.open(path)
    try:
        return bytes(stream.readAllBytes()).decode()
    finally:
        stream.close()


def write_text(spark: SparkSession, file: str, text: str) -> None:
    """Replace ``file``, a path of Hadoop's; a process that is killed meanwhile may leave a part of the text."""
    files, path = file_system(spark, file)
    stream = files.create(path, True)
    try:
        stream.write(bytearray(text.encode()))
    finally:
        stream.close()


def move(spark: SparkSession, file: str, to: str) -> None:
    """Give ``file`` another name, in one step where the file system can; what has that name is replaced."""
    files, path = file_system(spark, file)
    target = _path(spark, to)
    if not files.rename(path, target):
        files.delete(target, False)
        if not files.rename(path, target):
            raise OSError(f"{file} cannot be renamed to {to}")


def remove(spark: SparkSession, file: str) -> None:
    """Remove ``file`` or folder, a path of Hadoop's, if it is there."""
    files, path = file_system(spark, file)
    files.delete(path, True)


def file_system(spark: SparkSession, file: str) -> tuple[Any, Any]:
    """Hadoop's file system of ``file``, and its path there."""
    context: Any = spark.sparkContext
    path = _path(spark, file)
    return path.getFileSystem(context._jsc.hadoopConfiguration()), path


def _path(spark: SparkSession, file: str) -> Any:
    context: Any = spark.sparkContext
    return context._jvm.org.apache.hadoop.fs.Path(file)

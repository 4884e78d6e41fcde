"""The Spark session every job uses, and the ``spark-submit`` command that starts one."""

import logging
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import pyspark
from pyspark.sql import SparkSession

from tidemill.config.environment import UTF8
from tidemill.config.errors import TerminalError
from tidemill.config.installation import SET_UP, packages_folder
from tidemill.config.interruption import kept_handlers
from tidemill.config.project import VARIABLE
from tidemill.config.settings import Settings
from tidemill.config.user import check_named

# In quotes, as Spark reads a line of options: the folder's name may have a space.
LOGGING_OPTION = f'"-Dlog4j2.configurationFile={Path(__file__).resolve().parent / "spark-log4j2.properties"}"'

LOCAL = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
}
# For a lake of local files only. Hadoop's clients of object stores buffer what they upload through
# FileSystem.getLocal, which casts the file system of `file:` to the one with checksums.
RAW_FILES = {
    # Without Hadoop's native library, links and permissions of local files cost a process each (`readlink`, `chmod`),
    # dozens a micro-batch: fewer without a checksum file beside every file, and none for checkpoints.
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
}


class MissingJarsError(TerminalError):
    """The folder of Spark jars is empty; the message says what fills it."""


def session(app_name: str, settings: Settings, conf: Mapping[str, str] | None = None) -> SparkSession:
    """The session of this process, created on the first call; ``settings.spark.conf`` wins over ``conf``."""
    os.environ.update(spark_environment(settings))
    builder = SparkSession.builder.appName(app_name)
    for key, value in {**(conf or {}), **spark_conf(settings)}.items():
        builder = builder.config(key, value)
    # What Py4J logs of its connection, with a traceback, it also raises.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_worth_telling)
    with kept_handlers():  # PySpark takes SIGINT and leaves SIGTERM alone
        return builder.getOrCreate()


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """Py4J logs, with a traceback, that a call was interrupted; who interrupted it knows."""
    return record.msg != "KeyboardInterrupt while sending command."


def submit_command(
    settings: Settings, script: Path, arguments: Sequence[str] = (), driver_memory_mb: int | None = None
) -> list[str]:
    """The ``spark-submit`` command line that runs ``script``."""
    conf = spark_conf(settings) | ({"spark.driver.memory": f"{driver_memory_mb}m"} if driver_memory_mb else {})
    options = [part for key, value in conf.items() for part in ("--conf", f"{key}={value}")]
    return [str(settings.platform_environment / "bin" / "spark-submit"), *options, str(script), *arguments]


def become_spark_submit(
    settings: Settings, script: Path, arguments: Sequence[str] = (), driver_memory_mb: int | None = None
) -> NoReturn:
    """Run ``script`` in this process's place, so that its exit status and its signals are the job's."""
    line = submit_command(settings, script, arguments, driver_memory_mb)
    os.environ.update(spark_environment(settings))
    sys.stdout.flush()
    os.execv(line[0], line)  # noqa: S606


def spark_environment(settings: Settings) -> dict[str, str]:
    """Environment variables a Spark process needs.

    Raises:
        UnnamedUserError: Java could not tell who runs it.
    """
    check_named()
    python = str(settings.platform_environment / "bin" / "python")
    # Told, for the script that finds it calls Python without quotes, and would follow another Spark's variable.
    home = str(Path(pyspark.__file__).parent)
    environment = {"SPARK_HOME": home, "PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": python, **UTF8}
    if settings.spark.master.startswith("local"):
        environment["SPARK_LOCAL_IP"] = "127.0.0.1"
    return environment


def spark_conf(settings: Settings) -> dict[str, str]:
    """The Spark properties of ``settings``.

    Raises:
        MissingJarsError: the Delta and Kafka jars are not there.
    """
    jars = sorted(settings.spark.jars.glob("*.jar"))
    if not jars:
        raise MissingJarsError(f"no jars in {settings.spark.jars}: run `{SET_UP}`")
    conf = {
        "spark.master": settings.spark.master,
        "spark.driver.memory": f"{settings.spark.driver_memory_mb}m",
        "spark.driver.extraJavaOptions": driver_java_options(settings),
        "spark.jars": ",".join(str(jar) for jar in jars),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.session.timeZone": "UTC",
        # Any year, for any reader: the default counts nanoseconds, of which Arrow's 64 bits hold those of 1677 to 2262.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.shuffle.partitions": str(settings.spark.shuffle_partitions),
        # VACUUM lists folders in this many tasks whatever their number; Spark's default is 10,000.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(settings.spark.shuffle_partitions),
        "spark.sql.warehouse.dir": str(settings.home / "spark" / "warehouse"),
        "spark.databricks.delta.snapshotPartitions": "2",
        # The default is 100 pieces of compiled code: a few queries side by side would compile theirs anew every batch.
        "spark.sql.codegen.cache.maxEntries": "5000",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.PYTHONPATH": str(packages_folder()),
        f"spark.executorEnv.{VARIABLE}": str(settings.project or ""),
    }
    if settings.spark.master.startswith("local"):
        conf |= LOCAL | RAW_FILES if _is_on_this_disk(settings) else LOCAL
    return conf | settings.spark.conf


def _is_on_this_disk(settings: Settings) -> bool:
    return all(urlsplit(place).scheme in {"", "file"} for place in (settings.lake_root, settings.checkpoints))


def driver_java_options(settings: Settings) -> str:
    """Options of the driver's JVM: its log, its temporary files, and set-up's archive of classes for a faster start.

    The temporary files lie where this process has its own, as Java obeys no TMPDIR. The JVM starts without an archive
    that was made by another Java or from other jars.
    """
    archive = settings.spark.jars.parent / "spark.jsa"
    sharing = f' "-XX:SharedArchiveFile={archive}" -Xlog:cds=off -Xlog:cds+dynamic=off' if archive.is_file() else ""
    return LOGGING_OPTION + sharing + _temporary_option()


def _temporary_option() -> str:
    folder = tempfile.gettempdir()
    if "," in folder:  # which ends a folder's name in Spark's list of them
        return ""
    escaped = folder.replace("\\", "\\\\").replace('"', '\\"')
    return f' "-Djava.io.tmpdir={escaped}"'

"""The class data archive of Spark's jobs: what a JVM loads first, ready to be mapped into memory.

A session and its first Delta job load so many classes that most of their time goes there. A JVM that cannot use the
archive, because it is another version, starts without it.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tidemill.config.environment import process_environment
from tidemill.config.installation import POMS, SETUP, digest
from tidemill.config.settings import Settings
from tidemill.setup.lock import SetupFailedError, alone
from tidemill.stack.machine.java import java_binary, java_major

WORKLOAD = SETUP / "workload.py"
QUIETLY = "-Xlog:cds=error -Xlog:cds+dynamic=error"


def archive_classes(settings: Settings, report: Callable[[str], None]) -> Path:
    """Make the archive beside the jars, unless it was made from these jars, this Java and this workload.

    Raises:
        SetupFailedError: Spark could not be started; its log is named.
    """
    archive = settings.spark.jars.parent / "spark.jsa"
    stamp = archive.with_suffix(".of")
    made_of = f"{digest([*sorted(POMS.glob('*/pom.xml')), WORKLOAD])} Java {java_major(java_binary())}\n"
    with alone(archive):
        if not (archive.is_file() and stamp.is_file() and stamp.read_text(encoding="utf-8") == made_of):
            report("archiving Spark's classes, so that jobs start faster")
            _archive(settings, archive)
            stamp.write_text(made_of, encoding="utf-8")
    return archive


def _archive(settings: Settings, archive: Path) -> None:
    from data_lake.spark import LOGGING_OPTION, spark_environment, submit_command

    log, partial = archive.with_suffix(".log"), archive.with_suffix(f".{os.getpid()}")
    for abandoned in archive.parent.glob(f"{archive.stem}.[0-9]*"):  # of one that was killed: the lock is ours
        abandoned.unlink()
    archive.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as home, log.open("wb") as output:
        options = f"{LOGGING_OPTION} -XX:TieredStopAtLevel=1 '-XX:ArchiveClassesAtExit={partial}' {QUIETLY}"
        conf = {"spark.driver.extraJavaOptions": options}
        spark = settings.spark.model_copy(update={"conf": conf, "master": "local[2]"})
        moved = settings.model_copy(update={"spark": spark, "home": Path(home)})
        environment = process_environment(moved, os.environ) | spark_environment(moved)
        command = submit_command(moved, WORKLOAD)
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode or not partial.is_file():
        partial.unlink(missing_ok=True)
        raise SetupFailedError(f"Spark could not be started to archive its classes; its log: {log}")
    partial.replace(archive)

"""``tidemill submit``."""

from pathlib import Path

import click

from tidemill.config import load_settings
from tidemill.config.errors import TerminalError


class ScriptNotFoundError(TerminalError):
    """The script to submit is not a file."""


@click.command(name="submit", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("script", type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--driver-memory-mb", type=click.IntRange(min=512), help="Heap of the driver, in MiB.")
def command(script: Path, arguments: tuple[str, ...], driver_memory_mb: int | None) -> None:
    """Run SCRIPT with spark-submit and this project's Spark settings; ARGUMENTS go to the script.

    The process becomes spark-submit, so that its exit status and its signals are the job's.
    """
    from data_lake.spark import become_spark_submit

    if not script.is_file():
        raise ScriptNotFoundError(f"{script} is not a file: give the path of a Python script to submit")
    become_spark_submit(load_settings(), script, arguments, driver_memory_mb)

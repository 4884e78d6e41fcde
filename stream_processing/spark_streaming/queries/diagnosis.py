"""What ended a query, in a sentence with the way out, for those errors of Spark that trying again does not mend.

What the broker lost is told by the next start of bronze, which compares before it reads.
"""

import shlex

from data_lake import commits
from stream_processing.spark_streaming.queries.query import checkpoint
from stream_processing.spark_streaming.queries.restarts import Failure, cause
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

OTHER_TABLE = "DIFFERENT_DELTA_TABLE_READ_BY_STREAMING_SOURCE"
CHANGED_ROWS = ("DELTA_SOURCE_TABLE_IGNORE_CHANGES", "DELTA_SOURCE_IGNORE_DELETE")


class Diagnosis:
    """Makes the sentences."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, name: str, error: BaseException) -> Failure:
        """Why query ``name`` ended with ``error``."""
        if isinstance(error, TerminalError):
            return Failure(str(error), is_final=True)
        layer = name.split("/", 1)[0]
        if layer == "silver" and (why := _unreadable(error)):
            return Failure(f"{why}; {start_over(self._settings, name)}", is_final=True)
        return Failure(cause(error))


def start_over(settings: Settings, name: str) -> str:
    """What to do, for silver alone, whose writes may be repeated."""
    folder = checkpoint(settings, name)
    command = f"rm -r {shlex.quote(folder)}" if folder.startswith("/") else f"remove {folder}"
    return f"have it read all of bronze again, which writes nothing twice: {command}"


def _unreadable(error: BaseException) -> str:
    """Why Delta cannot go on reading bronze where silver's checkpoint says; empty for any other error."""
    if OTHER_TABLE in str(error):
        return "bronze was made anew since this query began to read it"
    if any(condition in str(error) for condition in CHANGED_ROWS):
        return "rows of bronze that this query has read were changed"
    gone = commits.gone(error) if isinstance(error, Exception) else None
    return f"a version of bronze that this query reads next is gone ({gone})" if gone else ""

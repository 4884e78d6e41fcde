"""Whether the streaming application is down, for what may write its tables only then."""

from config.errors import TransientError
from config.settings import Settings
from tidemill.stack.daemon import has_processes
from tidemill.stack.folders import Folders
from tidemill.stack.service import NotReadyError
from tidemill.stack.stream_progress import stream_progress


class StreamRunsError(TransientError):
    """The streaming application runs, and writes what was to be written."""


def require_stream_stopped(settings: Settings) -> None:
    """Nothing, when this stack has no process of the stream and none answers at its address.

    Raises:
        StreamRunsError: it runs; the message says how to stop it.
    """
    if has_processes(Folders.of(settings), "stream") or _answers(settings):
        raise StreamRunsError(
            "the streaming application runs and writes the same tables: "
            "`tidemill down stream`, then run this again, then `tidemill up stream`"
        )


def _answers(settings: Settings) -> bool:
    try:
        stream_progress(settings)
    except NotReadyError:
        return False
    return True

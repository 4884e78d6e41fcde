"""Whether the streaming application, or one query of it, is down: for what may be done only then."""

from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings
from tidemill.stack.folders import Folders
from tidemill.stack.service import NotReadyError
from tidemill.stack.stream.progress import QueryProgress, stream_progress
from tidemill.stack.supervision.daemon import has_processes


class StreamRunsError(TransientError):
    """The streaming application runs, and writes what was to be written or counted."""


def require_stream_stopped(settings: Settings) -> None:
    """Nothing, when this stack has no process of the stream and none answers at its address.

    Raises:
        StreamRunsError: it runs; the message says how to stop it.
    """
    if has_processes(Folders.of(settings), "stream") or _progress(settings) is not None:
        raise StreamRunsError(
            "the streaming application runs and writes the same tables: "
            "`tidemill down stream`, then run this again, then `tidemill up stream`"
        )


def require_query_ended(settings: Settings, query: str) -> None:
    """Nothing, when ``query`` has failed, so that it commits nothing before its next start, or no application runs.

    Raises:
        StreamRunsError: it runs, or may; the message says what to do.
    """
    progress = _progress(settings)
    if progress is None:
        has_ended = not has_processes(Folders.of(settings), "stream")
    else:
        has_ended = any(of.query == query and of.state == "failed" for of in progress)
    if not has_ended:
        raise StreamRunsError(
            f"{query} has not ended and may still write what it knows: wait until `tidemill status` says that it"
            " failed, or `tidemill down stream`, then run this again"
        )


def _progress(settings: Settings) -> list[QueryProgress] | None:
    """Of every query; None when no application answers."""
    try:
        return stream_progress(settings)
    except NotReadyError:
        return None

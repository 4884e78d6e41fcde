"""What becomes of one file of a partner's: sent through its mapping, each row once, and told as NiFi routes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as Signal

from ingestion_layer.sources.mapped.dropped import DONE
from ingestion_layer.sources.mapped.dropped import REJECTED as REJECTED_FOLDER
from ingestion_layer.sources.mapped.files import send_file
from ingestion_layer.sources.mapped.formats.reading import UnreadableFileError, told_by_name
from ingestion_layer.sources.mapped.mapping import MappingError, mapping_called
from tidemill.config.settings import Settings

SUCCESS, PARTIAL, REJECTED = "success", "partial", "rejected"


@dataclass(frozen=True)
class Outcome:
    """``relationship`` is the way on which the file goes on; the attributes go with it.

    ``folder``: where it comes to lie; ``events`` and ``rows``: how many; ``reason``: of a file that is rejected as a
    whole; ``rejects.file``: the path of the rows that are no events, if there are any.
    """

    relationship: str
    attributes: Mapping[str, str] = field(default_factory=dict)


def publish(settings: Settings, mapping: str, path: Path, name: str) -> Outcome:
    """Send the rows of ``path`` as the mapping called ``mapping`` says, and wait until the broker has acknowledged all.

    It came as ``name``. A file that was sent before is not sent again; one whose sending was cut off is sent on from
    its last record.

    Raises:
        NotAcknowledgedError, BrokerUnavailableError, AlreadyRunningError: the file is to be given again later.
    """
    try:
        source, _ = send_file(settings, mapping_called(mapping), path, Signal())
    except (MappingError, UnreadableFileError) as error:
        return Outcome(REJECTED, {"folder": REJECTED_FOLDER, "reason": told_by_name(error, path, name)})
    return _outcome(source.counts["rows"], source.counts["events"], source.rejected_path)


def _outcome(rows: int, events: int, rejects: Path) -> Outcome:
    counts = {"rows": str(rows), "events": str(events)}
    if rows == events:
        return Outcome(SUCCESS, {**counts, "folder": DONE})
    if events:
        return Outcome(PARTIAL, {**counts, "folder": DONE, "rejects.file": str(rejects)})
    reason = f"none of its {rows:,} rows fits"
    return Outcome(REJECTED, {**counts, "folder": REJECTED_FOLDER, "reason": reason, "rejects.file": str(rejects)})

"""What a run of a gold job reports."""

from dataclasses import dataclass

from batch_processing.incremental import Pending


@dataclass(frozen=True)
class Outcome:
    """What a run did.

    ``rows`` written; ``dates`` recomputed (None: all); ``source_version`` the version of ``source`` it looked at;
    ``reason`` why so much, or why nothing.
    """

    table: str
    rows: int
    dates: int | None
    source: str
    source_version: int
    reason: str


def outcome(table: str, work: Pending, rows: int, dates: int | None) -> Outcome:
    return Outcome(table, rows, dates, work.note.source, work.note.source_version, work.reason)

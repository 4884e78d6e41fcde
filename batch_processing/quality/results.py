"""What was judged, in ``gold/data_quality``: the newest judgement of each date and expectation, and what stands."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from batch_processing.incremental import Note
from batch_processing.quality import observing
from batch_processing.quality.judging import Outcome
from data_lake import arrow, commits
from data_lake.delta_rs import open_table
from data_lake.expectations import Severity, Suite
from data_lake.expectations.kinds import in_words
from data_lake.table import Table
from data_lake.tables import table
from tidemill.config.settings import Settings

RESULTS = "gold/data_quality"
NOTES = "tidemill_quality"


@dataclass(frozen=True)
class Result:
    """How a date is against an expectation. ``observed`` is None when the outcome is unknown or early."""

    table_name: str
    event_date: date
    suite: str
    suite_digest: str
    expectation: str
    kind: str
    severity: str
    outcome: str
    observed: float | None
    low: float | None
    high: float | None
    rows: int
    why: str | None
    source_version: int
    judged_at: datetime

    @property
    def stops(self) -> bool:
        """Whether nothing behind the table may go on."""
        return self.outcome == Outcome.FAILED and self.severity == Severity.CRITICAL

    def __str__(self) -> str:
        """One line for a person."""
        number = f" {self.number}" if self.number else ""
        told = f" ({self.why})" if self.why else ""
        return f"{self.event_date} {self.suite}.{self.expectation}: {self.kind}{number}, {self.wanted}{told}"

    @property
    def number(self) -> str:
        """What was observed in words; empty when nothing was."""
        return "" if self.observed is None else observing.in_words(self.observed)

    @property
    def wanted(self) -> str:
        """The bounds in words."""
        return in_words((self.low, self.high))


def results_table() -> Table:
    return table(RESULTS)


def standing(settings: Settings, suites: Sequence[Suite], outcomes: Collection[str] = tuple(Outcome)) -> list[Result]:
    """The newest judgements by ``suites`` as they are declared now, in the order of dates; empty before the first run.

    What a suite that is no more, or was another one, said is left out.
    """
    if not suites or not commits.exists(results_table(), settings):
        return []
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("results", arrow.source(open_table(results_table(), settings)))
        asked = [[suite.digest for suite in suites], list(outcomes)]
        rows = connection.sql(QUERY, params=asked).to_arrow_table()
    names = {(suite.name, suite.table, suite.digest) for suite in suites}
    made = (Result(**row) for row in rows.to_pylist())
    return [result for result in made if (result.suite, result.table_name, result.suite_digest) in names]


QUERY = """
    SELECT * FROM results WHERE suite_digest IN (SELECT unnest(?)) AND outcome IN (SELECT unnest(?))
    ORDER BY table_name, event_date, suite, expectation
"""


def notes(settings: Settings) -> dict[str, Note]:
    """By table, what the newest commit says up to which version it is judged; empty when it is not this job's."""
    change = commits.newest_change(results_table(), settings) if commits.exists(results_table(), settings) else None
    try:
        content = json.loads((change and change.user_metadata) or "null")
    except json.JSONDecodeError:
        return {}
    said = content.get(NOTES) if isinstance(content, dict) else None
    return {name: Note(**note) for name, note in said.items()} if isinstance(said, dict) else {}


def metadata(noted: Mapping[str, Note]) -> str:
    """What the commit says of all tables."""
    return json.dumps({NOTES: {name: asdict(note) for name, note in noted.items()}}, sort_keys=True)


def rows_of(results: Sequence[Result]) -> Iterator[tuple[Any, ...]]:
    """Each as a row of the table, in the order of its columns."""
    names = [column.name for column in results_table().columns]
    return (tuple(getattr(result, name) for name in names) for result in results)

"""Whether a run would find nothing to judge, by the tables' logs and by what stands: a JVM takes longer to start."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from batch_processing.incremental import Note, note_of
from batch_processing.quality.check import AGE, Checked
from batch_processing.quality.due import is_due
from batch_processing.quality.judging import Outcome
from batch_processing.quality.results import Result, notes, standing
from data_lake import commits
from data_lake.expectations import Freshness, Suite, suites_of
from data_lake.tables import table
from tidemill.config.settings import Settings

HOUR = timedelta(hours=1)


def judged_already(settings: Settings, names: Sequence[str], now: datetime) -> list[Checked] | None:
    """What stands of each table; None when one of them has something to judge, or may have."""
    noted = notes(settings)
    checked = [_unchanged(settings, suites_of(name), noted.get(name), now) for name in names]
    unchanged = [done for done in checked if done is not None]
    return unchanged if len(unchanged) == len(names) else None


def _unchanged(settings: Settings, suites: Sequence[Suite], noted: Note | None, now: datetime) -> Checked | None:
    if noted is None or not _is_at(settings, suites, noted):
        return None
    stands = standing(settings, suites)
    if any(is_due(result, now.date()) for result in stands) or not _is_fresh_still(suites, stands, now):
        return None
    reason = f"{noted.source} has no changed row since version {noted.source_version}"
    return Checked(noted.source, 0, noted.source_version, reason, tuple(stands))


def _is_at(settings: Settings, suites: Sequence[Suite], noted: Note) -> bool:
    """Whether the table is the one that was judged, by these suites, and no commit since may have changed a row."""
    source = table(suites[0].table)
    if not commits.exists(source, settings):
        return False
    note = note_of(settings, source, {suite.name: suite.digest for suite in suites})
    change = commits.newest_change(source, settings)
    changed_at = change.version if change else 0
    is_same = replace(note, source_version=noted.source_version) == noted
    return is_same and changed_at <= noted.source_version <= note.source_version


def _is_fresh_still(suites: Sequence[Suite], stands: Sequence[Result], now: datetime) -> bool:
    """Whether the table's age passes, and by the clock alone passes still.

    An event that was stamped ahead can only make the table younger than this.
    """
    asked = {
        (suite.name, name)
        for suite in suites
        for name, kind in suite.expectations.items()
        if isinstance(kind, Freshness)
    }
    return asked <= {(result.suite, result.expectation) for result in stands if _passes_still(result, now)}


def _passes_still(result: Result, now: datetime) -> bool:
    if result.kind != AGE or result.outcome != Outcome.PASSED or result.observed is None or result.high is None:
        return False
    return result.observed + (now - result.judged_at) / HOUR <= result.high

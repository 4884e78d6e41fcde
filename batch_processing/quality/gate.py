"""What a critical failure says to whatever stands behind the table."""

from collections.abc import Iterator, Sequence

from batch_processing.quality.judging import Outcome
from batch_processing.quality.results import Result, notes, results_table, standing
from data_lake import commits
from data_lake.expectations import Suite
from data_lake.tables import table
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

TOLD = 3


class NotAsExpectedError(TerminalError):
    """A table that fails a critical expectation: nothing is to be made of it."""


class NotJudgedError(NotAsExpectedError):
    """A table that was never judged by a suite as it reads now: whether it is as expected, nobody knows."""


def refuse(stops: Sequence[Result]) -> None:
    """Nothing without a critical failure.

    Raises:
        NotAsExpectedError: the sentence has the first failures, and what to do.
    """
    if not stops:
        return
    tables = ", ".join(dict.fromkeys(result.table_name for result in stops))
    told = "; ".join(map(str, stops[:TOLD])) + (f"; and {len(stops) - TOLD} more" if len(stops) > TOLD else "")
    raise NotAsExpectedError(
        f"{tables}: not as expected, so what stands behind waits: {told}. Look at `tidemill quality show`; mend the "
        "data or what is expected of it, then run `tidemill quality run`"
    )


def critical_failures(settings: Settings, suites: Sequence[Suite]) -> list[Result]:
    """The critical failures that stand by what was judged last; none in a lake where nothing ever was.

    Raises:
        NotJudgedError: a suite is new, or reads otherwise than when the table was judged, so what stood may no more.
    """
    if unjudged := list(_unjudged(settings, suites)):
        names = ", ".join(suite.name for suite in unjudged)
        tables = " ".join(dict.fromkeys(suite.table for suite in unjudged))
        raise NotJudgedError(f"not judged yet by {names} as it reads now: run `tidemill quality run {tables}` first")
    return [result for result in standing(settings, suites, (Outcome.FAILED,)) if result.stops]


def _unjudged(settings: Settings, suites: Sequence[Suite]) -> Iterator[Suite]:
    """Those of a table with rows to judge, in a lake that is judged, whose text no run has judged it by."""
    if not commits.exists(results_table(), settings):
        return
    noted = notes(settings)
    for suite in suites:
        note = noted.get(suite.table)
        is_judged = note is not None and note.parameters.get(suite.name) == suite.digest
        if not is_judged and commits.exists(table(suite.table), settings):
            yield suite

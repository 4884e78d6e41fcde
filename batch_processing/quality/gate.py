"""What a critical failure says to whatever stands behind the table."""

from collections.abc import Sequence

from batch_processing.quality.judging import Outcome
from batch_processing.quality.results import Result, standing
from data_lake.expectations import Suite
from tidemill.config.errors import TerminalError
from tidemill.config.settings import Settings

TOLD = 3


class NotAsExpectedError(TerminalError):
    """A table that fails a critical expectation: nothing is to be made of it."""


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
    """The critical failures that stand by what was judged last; none where nothing was judged."""
    return [result for result in standing(settings, suites, (Outcome.FAILED,)) if result.stops]

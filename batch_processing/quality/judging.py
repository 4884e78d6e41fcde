"""Great Expectations' part: the numbers of all dates, a column an expectation, against the suite.

What it is given is as small as there are dates. A test of rows would be a batch a date and several Spark jobs an
expectation, and has no way to say "as on the same weekday".
"""

import logging
import os
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from data_lake.expectations import Suite
from data_lake.expectations.kinds import in_words
from tidemill.config.errors import TerminalError

# Read when it is imported, and by each context: nothing is told to anybody.
os.environ["GX_ANALYTICS_ENABLED"] = "false"

if TYPE_CHECKING:
    import great_expectations as gx
    import pandas as pd
    from great_expectations.core import ExpectationSuiteValidationResult

DAY = "event_date"
FORMAT = {"result_format": "COMPLETE", "unexpected_index_column_names": [DAY]}


class Outcome(StrEnum):
    """``UNKNOWN``: there is nothing to judge it by; ``EARLY``: not yet, it is judged again with the next run."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EARLY = "early"


class JudgingError(TerminalError):
    """Great Expectations could not evaluate an expectation."""


Numbers = Mapping[date, Mapping[str, float | None]]
"""By date and expectation; None where there is nothing to judge."""


def failures(suite: Suite, numbers: Numbers) -> set[tuple[str, date]]:
    """The expectations of ``suite`` that fail, and on which dates.

    Raises:
        JudgingError: one could not be evaluated.
    """
    result = validated(context(), suite, numbers)
    return {(name, day) for name, evaluated in _by_name(result) for day in _failed_days(name, evaluated)}


def context() -> "gx.data_context.EphemeralDataContext":
    """One that writes nothing, tells nobody and draws no bar."""
    import great_expectations as gx

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    made = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = {"globally": False}
    return made


def validated(place: Any, suite: Suite, numbers: Numbers) -> "ExpectationSuiteValidationResult":
    """The verdict of Great Expectations on ``numbers``."""
    source = place.data_sources.add_pandas(suite.name)
    batch = source.add_dataframe_asset(suite.table.replace("/", ".")).add_batch_definition_whole_dataframe("dates")
    data = batch.get_batch({"dataframe": frame(suite, numbers)})
    return data.validate(gx_suite(suite), result_format=FORMAT)


def gx_suite(suite: Suite) -> "gx.ExpectationSuite":
    """``suite`` in Great Expectations' words: each number between its bounds."""
    import great_expectations as gx
    from great_expectations.expectations import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.metadata_types import FailureSeverity

    return gx.ExpectationSuite(
        name=suite.name,
        expectations=[
            ExpectColumnValuesToBeBetween(
                column=name,
                min_value=expectation.bounds[0],
                max_value=expectation.bounds[1],
                description=f"{expectation.meaning}: {in_words(expectation.bounds)}",
                severity=FailureSeverity(str(expectation.severity)),
                meta={"expectation": name, "kind": expectation.kind},
            )
            for name, expectation in suite.expectations.items()
        ],
    )


def frame(suite: Suite, numbers: Numbers) -> "pd.DataFrame":
    """A row a date, a column an expectation; NaN, which is judged by none, where there is no number."""
    import numpy as np
    import pandas as pd

    days = sorted(numbers)
    columns = {
        name: np.array([numbers[day].get(name) for day in days], dtype=np.float64) for name in suite.expectations
    }
    return pd.DataFrame({DAY: [day.isoformat() for day in days], **columns})


def _by_name(result: Any) -> Iterable[tuple[str, Any]]:
    return ((evaluated.expectation_config.meta["expectation"], evaluated) for evaluated in result.results)


def _failed_days(name: str, evaluated: Any) -> list[date]:
    if evaluated.success:
        return []
    rows = evaluated.result.get("unexpected_index_list")
    if not rows:  # it failed, and on no date: it was never evaluated
        raise JudgingError(f"expectation {name} could not be evaluated: {evaluated.exception_info}")
    return [date.fromisoformat(row[DAY]) for row in rows]

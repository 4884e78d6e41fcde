import dataclasses
import io

import pytest
from rich.console import Console

from tidemill.commands.status import duration, mebibytes, stream_table
from tidemill.stack.stream.progress import QueryProgress


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (61, "1m 1s"), (3600, "1h 0m"), (90_061, "25h 1m")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_memory_is_in_mebibytes() -> None:
    assert mebibytes(1_610_612_736) == "1,536 MiB"


def test_a_running_batch_is_shown_with_its_age_and_how_far_it_is() -> None:
    quiet = QueryProgress("silver/a", "running", "", 6, None, None, None, 1.0, 2.0, 0.5, 0)
    busy = dataclasses.replace(quiet, query="silver/b", state="stuck", batch_started=1_000.0, batch_tasks=4)
    busy = dataclasses.replace(busy, batch_tasks_done=3, lag_rows=1_234)
    output = io.StringIO()
    Console(file=output, width=140).print(stream_table([quiet, busy], now=1_061.5))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.getvalue().splitlines() if "│" in line]
    assert rows == [
        ["silver/a", "running", "6", "", "1.0", "2.0", "0.5", "0"],
        ["silver/b", "stuck", "6", "1m 1s, 3 of 4 tasks", "1.0", "2.0", "0.5", "1,234"],
    ]

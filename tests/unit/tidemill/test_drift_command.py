"""``tidemill drift check`` on real Delta tables, which need no JVM."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from monitoring.drift import Looks
from monitoring.drift.looks import spend
from monitoring.looks.served import Window
from monitoring.looks.tables import EmptyPeriodError, NoTimeColumnError, compare, once, source
from tidemill.cli import cli
from tidemill.commands.drift import DriftFoundError
from tidemill.config import load_settings
from tidemill.config.errors import TidemillError

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = 2_000
BOTH_DAYS = ("--reference", "2026-03-01", "2026-03-02", "--from", "2026-03-02", "--to", "2026-03-03")


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    return tmp_path


def rows(day: int, seed: int, moved: float = 0.0) -> pa.Table:
    """A day of rows; ``spend`` is moved by so many standard deviations."""
    random = np.random.default_rng(seed)
    begin = BEGIN + day * DAY
    seconds = np.sort(random.integers(0, 86_400, ROWS))
    return pa.table(
        {
            "event_time": pa.array([begin + timedelta(seconds=int(at)) for at in seconds], pa.timestamp("us", "UTC")),
            "spend": random.normal(10, 2, ROWS) + 2 * moved,
            "colour": random.choice(["red", "blue", "green"], ROWS),
            "_offset": np.arange(ROWS) + day * ROWS,
        }
    )


def table_of(folder: Path, *days: pa.Table) -> str:
    path = str(folder / "table")
    write_deltalake(path, pa.concat_tables(days))
    return path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["drift", "check", *arguments])


def told(*arguments: str) -> Any:
    return json.loads(check(*arguments, "--json").stdout)


def test_a_column_that_moved_between_two_days_is_named_and_the_exit_says_so(lake: Path) -> None:
    done = check(table_of(lake, rows(0, 1), rows(1, 2, moved=0.5)), *BOTH_DAYS)
    assert isinstance(done.exception, DriftFoundError)
    assert done.exception.exit_status == 1
    assert "spend" in str(done.exception)
    assert "colour" not in str(done.exception)
    assert "2,000 rows of" in done.stdout


def test_days_that_are_alike_are_no_drift_and_lineage_is_not_looked_at(lake: Path) -> None:
    path = table_of(lake, rows(0, 1), rows(1, 2))
    assert check(path, *BOTH_DAYS).exit_code == 0
    document = told(path, *BOTH_DAYS)
    assert document["drifted"] == []
    features = {verdict["finding"]["feature"] for verdict in document["verdicts"]}
    assert features == {None, "spend", "colour"}
    assert (document["reference_rows"], document["current_rows"]) == (ROWS, ROWS)


def test_only_named_columns_are_looked_at(lake: Path) -> None:
    path = table_of(lake, rows(0, 1), rows(1, 2, moved=2.0))
    assert told(path, *BOTH_DAYS, "--columns", "colour")["drifted"] == []


def test_a_whole_table_may_be_held_against_another(lake: Path) -> None:
    other = str(lake / "other")
    write_deltalake(other, rows(0, 1))
    path = table_of(lake, rows(1, 2, moved=0.5))
    assert "spend/distribution" in told(path, "--reference-table", other)["drifted"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["silver/nothing", *BOTH_DAYS], "no table 'silver/nothing'"),
        (["silver/transactions", *BOTH_DAYS], "does not exist"),
        (["TABLE", *BOTH_DAYS, "--columns", "spent"], "has no column spent; it has event_time, spend"),
        (["TABLE", "--reference", "2026-03-01", "2026-03-02", "--from", "2027-01-01", "--to", "2027-01-02"], "no row"),
    ],
)
def test_what_cannot_be_compared_is_told(lake: Path, arguments: list[str], why: str) -> None:
    path = table_of(lake, rows(0, 1), rows(1, 2))
    error = check(*(path if argument == "TABLE" else argument for argument in arguments)).exception
    assert isinstance(error, TidemillError), error
    assert why in str(error)


@pytest.mark.parametrize("arguments", [[], ["--reference", "2026-03-01", "2026-03-02", "--from", "2026-03-02"]])
def test_half_a_comparison_is_no_usage(lake: Path, arguments: list[str]) -> None:
    assert check(table_of(lake, rows(0, 1)), *arguments).exit_code == 2


def test_a_table_with_several_times_needs_to_be_told_which(lake: Path) -> None:
    day = rows(0, 1)
    times = day.rename_columns(["made_at", "spend", "colour", "_offset"]).append_column("seen_at", day["event_time"])
    path = table_of(lake, times)
    window = Window(BEGIN, BEGIN + DAY)
    settings = load_settings()
    with pytest.raises(NoTimeColumnError, match="made_at, seen_at"):
        source(settings, path, None, window)
    halves = [source(settings, path, "seen_at", Window(BEGIN + n * DAY / 2, BEGIN + (n + 1) * DAY / 2)) for n in (0, 1)]
    compared = compare(settings, *halves)
    assert compared.reference_rows + compared.current_rows == ROWS
    with pytest.raises(EmptyPeriodError):
        compare(settings, source(settings, path, "seen_at", Window(BEGIN - DAY, BEGIN)), halves[0])


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.5])
def test_a_comparison_spends_all_of_its_alpha(alpha: float) -> None:
    assert spend(once(alpha), Looks(), BEGIN) == pytest.approx(alpha)

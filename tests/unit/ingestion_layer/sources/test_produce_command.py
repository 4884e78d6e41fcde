"""What ``tidemill produce`` refuses before it asks any broker."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ingestion_layer.sources.card_simulator.cards import CardsError
from ingestion_layer.sources.simulator.current import NoHistoryError
from ingestion_layer.sources.simulator.faults import Faults, FaultsError
from ingestion_layer.sources.simulator.shop import Drift, ShopError
from tidemill.cli import cli
from tidemill.config.errors import TidemillError
from tidemill.config.settings import REPO


def produce(home: Path, *arguments: str) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(cli, ["produce", *arguments], env={"TIDEMILL_HOME": str(home)})
    return result.exit_code, result.output, result.exception


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["simulator", "--end", "2999-01-01"], "2999-01-01 is after today"),
        (["simulator", "--live", "5", "--customers", "3"], "leave out --customers"),
        (["simulator", "--drift", "price=2"], "--drift needs --drift-from"),
        (["simulator", "--days", "99999999"], "--days"),
        (["simulator", "--live", "0"], "--live"),
        (["cards", "--start", "2999-01-01"], "is after today"),
        (["cards", "--days", "99999999"], "--days"),
    ],
)
def test_options_that_do_not_fit_are_named(tmp_path: Path, arguments: list[str], says: str) -> None:
    status, output, _ = produce(tmp_path, *arguments)
    assert status == 2
    assert says in output


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["simulator", "--live", "5"], NoHistoryError, "no simulated shop"),
        (["simulator", "--customers", "0"], ShopError, "customers = 0"),
        (["simulator", "--faults", "rain=0.1"], FaultsError, "'rain'"),
        (["simulator", "--faults", "late=much"], FaultsError, "'much'"),
        (["simulator", "--faults", "late=0.9"], FaultsError, "late is 0.9"),
        (["cards", "--days", "0"], CardsError, "days = 0"),
        (["cards", "--terminals", "0"], CardsError, "terminals = 0"),
        (["simulator", "--drift-from", "2025-01-01", "--drift", "mood=1"], ShopError, "'mood'"),
    ],
)
def test_values_that_cannot_be_used_are_named(
    tmp_path: Path, arguments: list[str], error: type[TidemillError], says: str
) -> None:
    _, _, raised = produce(tmp_path, *arguments)
    assert isinstance(raised, error)
    assert says in str(raised)


def test_rates_are_read_as_typed() -> None:
    assert Faults.parse("late=0.02,duplicate=0.5") == Faults(late=0.02, duplicate=0.5)
    assert Faults.parse("none") == Faults()
    assert Faults.parse("default").malformed > 0


def test_a_drift_is_read_as_typed() -> None:
    from datetime import date

    assert Drift.parse(date(2025, 1, 1), "price=2") == Drift(date(2025, 1, 1), price=2.0)


def test_help_loads_no_heavy_library() -> None:
    code = "import sys; from tidemill.commands import produce, topics; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert not {"numpy", "duckdb", "pyarrow", "confluent_kafka"} & set(eval(done.stdout))  # noqa: S307

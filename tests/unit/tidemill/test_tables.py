"""What people and programs typed is printed as it is, whole in a pipe."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from ml_modeling.registry.audit import AuditRecord
from tidemill.cli import cli
from tidemill.commands.status import _services
from tidemill.demo.runner import Step, run_steps
from tidemill.stack.status import ServiceStatus, StackStatus
from tidemill.tables import print_table, table

TYPED = [
    "revert [/predict]",
    "[ops-123]",
    "[fd00::5]:9092",
    "fd00:100::5",
    ":smile:",
    "[bold]x[/]",
    "\\[a]",
    "[link=x]y",
]
RUN = "5f1c0a2e9d3b4c6f8a7e6d5c4b3a2918"


def lines(printed: str) -> list[list[str]]:
    """The cells of each row below the head."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]


@pytest.mark.parametrize("typed", TYPED)
def test_a_cell_a_column_and_a_title_are_printed_as_typed(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table(table([typed], [[typed]], title=typed))

    printed = capsys.readouterr().out
    assert printed.splitlines()[0].strip() == typed
    assert printed.count(typed) == 3
    assert lines(printed) == [[typed]]


def test_in_a_pipe_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    row = [RUN, "http://an-address-of-some-length.example.com:8080/a/path", "a reason " * 30, "[fd00::5]:9092"]

    print_table(table(["run", "address", "reason", "servers"], [row]))

    assert lines(capsys.readouterr().out) == [[cell.strip() for cell in row]]


def test_in_a_terminal_a_wide_cell_goes_on_in_the_next_line(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=24, force_terminal=True, color_system=None)
    console.print(table(["run"], [[RUN]]))

    assert "".join(cell for (cell,) in lines(capsys.readouterr().out)) == RUN


@pytest.mark.parametrize("typed", TYPED)
def test_the_audit_trail_shows_who_did_what_and_why_as_typed(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = AuditRecord(
        use_case="churn",
        at=datetime(2026, 1, 2, tzinfo=UTC),
        state="completed",
        action="rollback",
        from_version="2",
        to_version="1",
        who=typed,
        reason=typed,
        note="",
    )
    monkeypatch.setattr("ml_modeling.registry.audit.trail", lambda settings, use_case: [record])

    result = CliRunner().invoke(cli, ["models", "audit", "churn"])

    assert result.exit_code == 0, result.output
    assert lines(result.output) == [["2026-01-02 00:00:00", "completed", "rollback", "2 -> 1", typed, typed, ""]]


def test_the_status_shows_an_ipv6_address(capsys: pytest.CaptureFixture[str]) -> None:
    service = ServiceStatus("kafka", "Kafka", "external", "", "[fd00:100::5]:9092", None, 0, None, 0, "")

    print_table(_services(StackStatus("/home", None, 0, [service], [], [], {})))

    assert lines(capsys.readouterr().out)[0][-1] == "[fd00:100::5]:9092"


@pytest.mark.parametrize("typed", TYPED)
def test_a_setting_is_shown_as_typed(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDEMILL_AIRFLOW__USER", typed)

    result = CliRunner().invoke(cli, ["config", "show"])

    assert ["airflow.user", typed, "environment TIDEMILL_AIRFLOW__USER"] in lines(result.output)


@pytest.mark.parametrize("typed", TYPED)
def test_a_step_of_the_demo_is_named_as_typed(typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_steps([Step("a", typed, lambda say: {})], tmp_path)

    assert f"✓ [1/1] {typed} 0.0 s" in capsys.readouterr().err

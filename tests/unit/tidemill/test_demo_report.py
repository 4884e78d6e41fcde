"""The demo's closing table: what of the summary it shows."""

from typing import Any

import pytest

from tidemill.demo.report import print_report
from tidemill.demo.summary import addresses
from tidemill.stack.status import ServiceStatus


@pytest.fixture
def summary() -> dict[str, Any]:
    """That of a run which asked no question."""
    return {
        "sent": {"messages": 1_000, "duplicates": 10, "rejected_rows": {}},
        "lake": {"messages": 1_000, "duplicates": 10, "quarantined": {"schema": 5}},
        "rows": {"bronze/shop.click.v1": 1_000, "bronze/market.weather.v1": 0, "quarantine/shop.click.v1": 5},
        "use_cases": {},
        "freshness_s": {"median": 1.2, "p99": 2.5},
        "memory_mb": 4_000,
        "addresses": {"Redis": "127.0.0.1:6379"},
        "seconds": {"up": 30.0, "produce": 12.0},
    }


def test_tables_are_listed_with_their_rows_and_empty_ones_are_not(
    summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(summary)
    printed = capsys.readouterr().out
    assert "1,000  bronze/shop.click.v1" in printed
    assert "5  quarantine/shop.click.v1" in printed
    assert "market.weather.v1" not in printed


def test_what_was_rejected_at_the_source_is_shown_where_something_was(
    summary: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(summary)
    assert "rejected" not in capsys.readouterr().out
    print_report(summary | {"sent": summary["sent"] | {"rejected_rows": {"zero_price": 2}}})
    assert "zero_price 2" in capsys.readouterr().out


def test_addresses_are_those_of_what_was_started() -> None:
    def service(title: str, state: str, address: str) -> ServiceStatus:
        return ServiceStatus(title.lower(), title, state, "", address, None, 0, None, 0, "")

    told = [service("Redis", "ready", "127.0.0.1:6379"), service("Kafka", "external", "kafka:9092")]
    rest = [service("NiFi", "stopped", "http://127.0.0.1:8082/nifi"), service("Flume", "ready", "")]
    assert addresses([*told, *rest]) == {"Redis": "127.0.0.1:6379", "Kafka": "kafka:9092"}

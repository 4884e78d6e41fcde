"""A small lake written by delta-rs."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from data_lake import tables
from tidemill.config import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    return load_settings()


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Two commits of silver/transactions (three rows), and one message in quarantine."""
    silver = tables.silver("shop.transaction.v1").path(settings)
    for ids in (["a", "b"], ["c"]):
        amounts = [Decimal("1.1000")] * len(ids)
        dates = [date(2024, 5, 1)] * len(ids)
        months = ["2024-05"] * len(ids)
        rows = pa.table({"event_id": ids, "unit_price": amounts, "event_date": dates, "event_month": months})
        write_deltalake(silver, rows, mode="append", partition_by=["event_month"])
    bad = pa.table(
        {
            "partition": pa.array([0], pa.int32()),
            "offset": pa.array([7], pa.int64()),
            "value": [b'\xff{"'],
            "reason": ["not_json"],
            "ingested_at": [datetime(2024, 5, 1, 23, 59, tzinfo=UTC)],
            "ingest_date": [date(2024, 5, 1)],
        }
    )
    quarantine = tables.quarantine("shop.click.v1").path(settings)
    write_deltalake(quarantine, bad, partition_by=["ingest_date"])
    return settings

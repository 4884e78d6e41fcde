"""A lake with silver transactions in which a run's commit is what a test says; no JVM is asked."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from batch_processing.incremental import note_of
from batch_processing.quality.results import Result, metadata, results_table
from data_lake.delta_rs import open_table
from data_lake.delta_tables import create_table
from data_lake.tables import table
from tidemill.config import Settings, load_settings

TRANSACTIONS = "silver/transactions"
JUDGED_AT = datetime(2026, 3, 31, 6, tzinfo=UTC)
Judge = Callable[..., None]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    settings = load_settings()
    create_table(table(TRANSACTIONS), settings)
    return settings


@pytest.fixture
def commit_results(lake: Settings) -> Judge:
    """Commits, as a run does, by which digests the table was judged as it is now, and results as ``changed`` say."""

    def commit(digests: Mapping[str, str], *changed: Mapping[str, Any]) -> None:
        create_table(results_table(), lake)
        delta = open_table(results_table(), lake)
        rows = [asdict(_result(values, digests)) for values in changed]
        note = metadata({TRANSACTIONS: note_of(lake, table(TRANSACTIONS), digests)})
        write_deltalake(
            delta,
            pa.Table.from_pylist(rows, schema=pa.schema(delta.schema().to_arrow())),
            mode="append",
            commit_properties=CommitProperties({"userMetadata": note}),
        )

    return commit


def _result(changed: Mapping[str, Any], digests: Mapping[str, str]) -> Result:
    suite = changed.get("suite", "shop.transactions")
    values: dict[str, Any] = {
        "table_name": TRANSACTIONS,
        "event_date": date(2026, 3, 30),
        "suite": suite,
        "suite_digest": digests[suite],
        "expectation": "amounts",
        "kind": "distribution",
        "severity": "critical",
        "outcome": "passed",
        "observed": 1.0,
        "low": None,
        "high": 5.0,
        "rows": 60,
        "why": None,
        "source_version": 0,
        "judged_at": JUDGED_AT,
    }
    return Result(**{**values, **changed})

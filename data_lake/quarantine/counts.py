"""What lies in quarantine, by reason."""

from collections.abc import Mapping

import duckdb

from data_lake import tables
from data_lake.arrow import source
from data_lake.delta_rs import MissingTableError, open_table
from tidemill.config.settings import Settings
from tidemill.contracts.registry import contracts


def counts_by_reason(settings: Settings) -> Mapping[str, Mapping[str, int]]:
    """How many messages of each topic that has any are in quarantine, by reason."""
    counts = {topic: _counts(settings, topic) for topic in contracts()}
    return {topic: reasons for topic, reasons in counts.items() if reasons}


def _counts(settings: Settings, topic: str) -> Mapping[str, int]:
    try:
        rows = source(open_table(tables.quarantine(topic), settings))
    except MissingTableError:
        return {}
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        return dict(connection.execute("SELECT reason, count(*) FROM rows GROUP BY reason ORDER BY reason").fetchall())

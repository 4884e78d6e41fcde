"""The registry of Delta tables: each is declared once here and created from its declaration."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache

from data_lake.gold import MONTH, GoldTable, GoldTableError, read_gold_table
from data_lake.own_tables import OWN_GOLD, QUARANTINE_REPLAYS, TOPIC_STARTS
from data_lake.schema import column, columns
from data_lake.table import CHANGE_FEED, Table
from tidemill.config.errors import TerminalError
from tidemill.config.project import current_project
from tidemill.contracts.columns import Column, data_columns
from tidemill.contracts.registry import Contract, contract, contracts

LOGGER = logging.getLogger(__name__)
# A commit every few seconds: small files are merged as part of a commit when 50 have gathered; who commits reads the
# log from its last checkpoint on, so there is one each 20 commits; and the log, which a reader of changes needs only as
# far back as its own last version, is kept for a week.
STREAMED = {
    "delta.autoOptimize.autoCompact": "true",
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}
# A row written adds to the statistics of each of these, and every commit lists them for all files.
MESSAGE_STATISTICS = {"delta.dataSkippingStatsColumns": "generation,partition,offset"}
EVENT_STATISTICS = {"delta.dataSkippingStatsColumns": "event_date,event_time,ingested_at"}


class UnknownTableError(TerminalError):
    """A table name that the registry does not have."""


def tables() -> Mapping[str, Table]:
    """Every table, by name, in the order of the flow.

    A gold table whose file cannot be used is left out, so that all others go on; :func:`table` says why.
    """
    return _tables()


def table(name: str) -> Table:
    """The table called ``name``, such as ``silver/transactions``.

    Raises:
        UnknownTableError: the registry has no such table.
        GoldTableError: it is declared, and its file cannot be used.
    """
    if name in tables():
        return tables()[name]
    layer, _, noun = name.partition("/")
    file = current_project().gold_files().get(noun)
    if layer == "gold" and file is not None:
        return table_of(read_gold_table(file))
    raise UnknownTableError(f"no table {name!r}; known: {', '.join(tables())}")


def bronze(topic: str) -> Table:
    return table(f"bronze/{contract(topic).topic}")


def silver(topic: str) -> Table:
    return table(f"silver/{contract(topic).table}")


def quarantine(topic: str) -> Table:
    return table(f"quarantine/{contract(topic).topic}")


_MESSAGE = columns(
    "topic STRING",
    "partition INT",
    "offset BIGINT",
    "broker_time TIMESTAMP",
    "key BINARY?",
    "value BINARY?",
    "headers ARRAY<STRUCT<key: STRING, value: BINARY>>?",
    "ingested_at TIMESTAMP",
    "ingest_date DATE",
)
FIRST_GENERATION = 1
"""Of a topic. In bronze null stands for it: rows of before generations were noted have none."""
NO_DIGEST = 0
"""Of an event whose message is in bronze no longer, so that nobody can tell what else it said."""


def _bronze(source: Contract) -> Table:
    return Table(
        name=f"bronze/{source.topic}",
        description=f"messages of {source.topic} as they arrived",
        columns=(*_MESSAGE, *columns("generation INT?")),
        keys=("generation", "partition", "offset"),
        partition_by=("ingest_date",),
        properties={"delta.appendOnly": "true", **STREAMED, **MESSAGE_STATISTICS},
        retention_days=None,
    )


def _quarantine(source: Contract) -> Table:
    return Table(
        name=f"quarantine/{source.topic}",
        description=f"messages of {source.topic} that break its contract, raw, with the reason",
        columns=(*_MESSAGE, *columns("generation INT", "reason STRING", "detail STRING")),
        keys=("generation", "partition", "offset"),
        partition_by=("ingest_date",),
        properties={**STREAMED, **MESSAGE_STATISTICS},
    )


def silver_columns(source: Contract) -> tuple[Column, ...]:
    """The columns of the silver table of ``source``."""
    envelope = columns("event_id STRING", "event_time TIMESTAMP", "event_date DATE", "source STRING")
    lineage = columns(
        "_generation INT",
        "_digest BIGINT",
        "_partition INT",
        "_offset BIGINT",
        "broker_time TIMESTAMP",
        "ingested_at TIMESTAMP",
        "event_month STRING",
    )
    return (*envelope, *data_columns(source), *lineage)


def _silver(source: Contract) -> Table:
    return Table(
        name=f"silver/{source.table}",
        description=f"valid events of {source.topic}, each once",
        columns=silver_columns(source),
        keys=("event_date", "source", "event_id"),
        partition_by=("event_month",),
        properties={**CHANGE_FEED, **STREAMED, **EVENT_STATISTICS},
    )


def table_of(declared: GoldTable) -> Table:
    return Table(
        name=f"gold/{declared.name}",
        description=declared.description,
        columns=(*declared.columns, column(MONTH, "STRING")),
        keys=declared.keys,
        partition_by=(MONTH,),
        properties=CHANGE_FEED if declared.has_change_feed else {},
    )


@cache
def _tables() -> Mapping[str, Table]:
    topics = list(contracts().values())
    of_topics = [layer(source) for layer in (_bronze, _silver, _quarantine) for source in topics]
    return {
        declared.name: declared
        for declared in (*of_topics, *_declared_gold(), *OWN_GOLD, TOPIC_STARTS, QUARANTINE_REPLAYS)
    }


def _declared_gold() -> Iterator[Table]:
    for file in current_project().gold_files().values():
        try:
            yield table_of(read_gold_table(file))
        except GoldTableError as error:
            LOGGER.warning("left out: %s", error)

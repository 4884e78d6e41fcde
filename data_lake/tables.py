"""The registry of Delta tables: each is declared once here and created from its declaration."""

import logging
from collections.abc import Iterator, Mapping
from functools import cache

from data_lake.gold import MONTH, GoldTable, GoldTableError, read_gold_table
from data_lake.schema import column
from data_lake.table import Table as Table  # noqa: PLC0414 - the registry gives them
from tidemill.config.errors import TerminalError
from tidemill.config.project import current_project
from tidemill.contracts.columns import Column, data_columns
from tidemill.contracts.registry import Contract, contract, contracts

LOGGER = logging.getLogger(__name__)
CHANGE_FEED = {"delta.enableChangeDataFeed": "true"}
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


def _columns(*ddl: str) -> tuple[Column, ...]:
    """``"name TYPE"`` for a column that always has a value, ``"name TYPE?"`` for one that may be null."""
    return tuple(column(*item.split(" ", 1)) for item in ddl)


_MESSAGE = _columns(
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
        columns=(*_MESSAGE, *_columns("generation INT?")),
        keys=("generation", "partition", "offset"),
        partition_by=("ingest_date",),
        properties={"delta.appendOnly": "true", **STREAMED, **MESSAGE_STATISTICS},
        retention_days=None,
    )


def _quarantine(source: Contract) -> Table:
    return Table(
        name=f"quarantine/{source.topic}",
        description=f"messages of {source.topic} that break its contract, raw, with the reason",
        columns=(*_MESSAGE, *_columns("generation INT", "reason STRING", "detail STRING")),
        keys=("generation", "partition", "offset"),
        partition_by=("ingest_date",),
        properties={**STREAMED, **MESSAGE_STATISTICS},
    )


def silver_columns(source: Contract) -> tuple[Column, ...]:
    """The columns of the silver table of ``source``."""
    envelope = _columns("event_id STRING", "event_time TIMESTAMP", "event_date DATE", "source STRING")
    lineage = _columns(
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


OWN_GOLD = (
    Table(
        name="gold/data_quality",
        description="how each date of a table is, against each of its expectations: the newest judgement of it",
        columns=_columns(
            "table_name STRING",
            "event_date DATE",
            "suite STRING",
            "suite_digest STRING",
            "expectation STRING",
            "kind STRING",
            "severity STRING",
            "outcome STRING",
            "observed DOUBLE?",
            "low DOUBLE?",
            "high DOUBLE?",
            "rows BIGINT",
            "why STRING?",
            "source_version BIGINT",
            "judged_at TIMESTAMP",
        ),
        keys=("table_name", "event_date", "suite", "expectation"),
        partition_by=("table_name",),
    ),
    Table(
        name="gold/feature_consistency",
        description="how often the features of logged predictions were those of the lake, a feature and period",
        columns=_columns(
            "begin_date DATE",
            "service STRING",
            "fingerprint STRING",
            "begin TIMESTAMP",
            "end TIMESTAMP",
            "feature STRING",
            "fetches BIGINT",
            "behind BIGINT",
            "matched BIGINT",
            "mismatched BIGINT",
            "missing BIGINT",
            "extra BIGINT",
            "worst STRING",
        ),
        keys=("service", "begin", "end", "feature"),
        partition_by=("begin_date",),
    ),
    Table(
        name="gold/feature_corrections",
        description="which commits changed rows of silver that were there, so that states of features were made anew",
        columns=_columns(
            "corrected_at TIMESTAMP",
            "feature_group STRING",
            "fingerprint STRING",
            "source STRING",
            "source_id STRING",
            "version BIGINT",
            "operation STRING",
            "rows BIGINT",
            "entities BIGINT",
        ),
        keys=("fingerprint", "source_id", "version"),
    ),
    Table(
        name="gold/scores",
        description="what a model says of every entity at a time, or of every event at its own; a partition a use case",
        columns=_columns(
            "use_case STRING",
            "scored_date DATE",
            "scored_at TIMESTAMP",
            "entity_id STRING",
            "entities MAP<STRING, STRING>",
            "row_key STRING",
            "score DOUBLE?",
            "scores MAP<STRING, DOUBLE>?",
            "value DOUBLE?",
            "interval ARRAY<DOUBLE>?",
            "decision STRING?",
            "is_cold_start BOOLEAN",
            "features_as_of TIMESTAMP?",
            "model_version STRING",
            "model_run_id STRING",
            "model_id STRING",
            "feature_fingerprint STRING",
            "scoring_id STRING",
        ),
        keys=("use_case", "scored_at", "model_run_id", "model_id", "row_key"),
        partition_by=("use_case", "scored_date"),
    ),
    Table(
        name="gold/model_profiles",
        description="what each trained model learnt from, and its scores on the test part, as a profile",
        columns=_columns(
            "use_case STRING",
            "run_id STRING",
            "model_id STRING",
            "digest STRING",
            "made_at TIMESTAMP",
            "rows BIGINT",
            "profile BINARY",
        ),
        keys=("run_id", "model_id"),
        partition_by=("use_case",),
    ),
    Table(
        name="gold/drift",
        description="what each look at served answers has found, a finding a row; the newest look is a monitor's state",
        columns=_columns(
            "use_case STRING",
            "run_id STRING",
            "model_id STRING",
            "model_version STRING",
            "look_id STRING",
            "begin TIMESTAMP",
            "end TIMESTAMP",
            "looked_at TIMESTAMP",
            "finding STRING",
            "feature STRING?",
            "aspect STRING",
            "outcome STRING",
            "is_drifted BOOLEAN",
            "since TIMESTAMP?",
            "statistic STRING?",
            "effect DOUBLE?",
            "effect_limit DOUBLE?",
            "p_value DOUBLE?",
            "adjusted_p_value DOUBLE?",
            "alpha DOUBLE",
            "importance DOUBLE?",
            "unknown STRING?",
            "statistics ARRAY<STRUCT<name: STRING, value: DOUBLE, limit: DOUBLE, shift: DOUBLE>>",
            "answers BIGINT",
            "judged BIGINT",
            "unscored BIGINT",
            "others BIGINT",
            "lacking BIGINT",
            "stale BIGINT",
        ),
        keys=("use_case", "run_id", "model_id", "look_id", "finding"),
        partition_by=("use_case",),
    ),
    Table(
        name="gold/prediction_outcomes",
        description="each logged prediction, and what came true of it",
        columns=_columns(
            "event_date DATE",
            "source STRING",
            "event_id STRING",
            "event_time TIMESTAMP",
            "use_case STRING",
            "request_id STRING",
            "model_run_id STRING",
            "model_id STRING",
            "model_version STRING",
            "arm STRING",
            "entity STRING?",
            "asked_at TIMESTAMP",
            "is_scored BOOLEAN",
            "degraded ARRAY<STRING>?",
            "decision STRING?",
            "score DOUBLE?",
            "value DOUBLE?",
            "interval ARRAY<DOUBLE>?",
            "scores MAP<STRING, DOUBLE>?",
            "state STRING",
            "due_at TIMESTAMP?",
            "event_key STRING?",
            "label DOUBLE?",
            "event_month STRING",
        ),
        keys=("event_date", "source", "event_id"),
        partition_by=("event_month",),
        properties=CHANGE_FEED,
    ),
    Table(
        name="gold/model_performance",
        description="how good the served models were, a metric, model, arm and day of its predictions",
        columns=_columns(
            "event_date DATE",
            "use_case STRING",
            "model_run_id STRING",
            "model_id STRING",
            "model_version STRING",
            "arm STRING",
            "predictions BIGINT",
            "left_out BIGINT",
            "known BIGINT",
            "entities BIGINT",
            "metric STRING",
            "value DOUBLE?",
            "low DOUBLE?",
            "high DOUBLE?",
            "confidence DOUBLE",
            "event_month STRING",
        ),
        keys=("event_date", "use_case", "model_run_id", "model_id", "arm", "metric"),
        partition_by=("event_month",),
    ),
)


TOPIC_STARTS = Table(
    name="control/topic_starts",
    description="each start of bronze on a topic: which topic it is, from which offsets on, and what was given up",
    columns=_columns(
        "topic STRING",
        "start INT",
        "generation INT",
        "cluster_id STRING",
        "topic_id STRING",
        "offsets MAP<INT, BIGINT>",
        "lost ARRAY<STRUCT<partition: INT, first: BIGINT, last: BIGINT>>",
        "ended_offsets MAP<INT, BIGINT>",
        "ended_rows MAP<INT, BIGINT>",
        "reason STRING",
        "started_by STRING",
        "started_at TIMESTAMP",
    ),
    keys=("topic", "start"),
)
QUARANTINE_REPLAYS = Table(
    name="control/quarantine_replays",
    description="each message of quarantine that was replayed: claimed, sent and where to, or known to silver",
    columns=_columns(
        "topic STRING",
        "generation INT",
        "partition INT",
        "offset BIGINT",
        "attempt INT",
        "state STRING",
        "claim_id STRING",
        "source STRING",
        "event_id STRING",
        "event_time TIMESTAMP",
        "digest BIGINT",
        "key BINARY?",
        "value BINARY?",
        "topic_id STRING",
        "ends MAP<INT, BIGINT>?",
        "new_generation INT?",
        "new_partition INT?",
        "new_offset BIGINT?",
        "fix STRING?",
        "replayer STRING",
        "replayed_by STRING",
        "replayed_at TIMESTAMP",
    ),
    keys=("topic", "generation", "partition", "offset", "attempt", "state"),
    partition_by=("topic",),
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

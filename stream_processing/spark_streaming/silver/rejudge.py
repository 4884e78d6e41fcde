"""Silver and quarantine of a topic made anew from bronze, by today's contract, in place.

What was accepted or refused by an older contract is judged again, and so is what an older version of this platform
wrote. Each table is overwritten in one commit; between the two, and after a kill, running it again ends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pyspark import StorageLevel
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812

from data_lake import commits, tables
from data_lake.required_columns import require_columns
from data_lake.table import Table
from data_lake.tables import FIRST_GENERATION, NO_DIGEST
from stream_processing.spark_streaming.silver.conflicts import IDENTITY, SENTENCE, TOLD, differs_from
from stream_processing.spark_streaming.silver.parse import DETAIL, REASON, TimeRule, parse
from stream_processing.spark_streaming.silver.split import LINEAGE, conflicting, rejected
from tidemill.config.errors import TransientError
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Reason
from tidemill.contracts.columns import data_columns
from tidemill.contracts.registry import Contract, contract

HELD, FIRST = "_held", "_first"
SAID = "_said"
PLACE = ("generation", "partition", "offset")
# What rows of before a column was declared have in it.
OLDER: Mapping[str, int] = {"_generation": FIRST_GENERATION, "generation": FIRST_GENERATION, "_digest": NO_DIGEST}
NOTE = "tidemill: judged again"


class ChangedMeanwhileError(TransientError):
    """A table was written by another while it was made anew; nothing of it was overwritten."""

    def __init__(self, table: Table) -> None:
        super().__init__(
            f"{table.name} was written while it was judged again: stop what writes it (`tidemill down stream`) and "
            "run this again"
        )


@dataclass(frozen=True)
class Rejudged:
    """Rows of a topic before and after; ``kept`` are those whose message bronze no longer has."""

    topic: str
    bronze_version: int
    silver_before: int
    silver: int
    quarantine_before: int
    quarantine: int
    kept: int


def rejudge(spark: SparkSession, settings: Settings, topic: str) -> Rejudged:
    """Overwrite silver and quarantine of ``topic`` with what today's contract makes of bronze.

    Raises:
        ChangedMeanwhileError: the topic's stream, or somebody else, wrote one of the tables.
        MissingTableError: the topic has no bronze yet.
    """
    bronze, silver, quarantine = tables.bronze(topic), tables.silver(topic), tables.quarantine(topic)
    version = commits.current_version(bronze, settings)
    read_at = {table.name: commits.current_version(table, settings) for table in (silver, quarantine)}
    messages = _placed(_read(spark, bronze, settings, version))
    events_before, refused_before = _aligned(spark, silver, settings), _aligned(spark, quarantine, settings)
    events_kept, refused_kept = _kept(events_before, LINEAGE, messages), _kept_refusals(refused_before, messages)
    judgeable = messages.join(_lineage(refused_kept, PLACE), [*LINEAGE], "left_anti")
    parsed = parse(judgeable, contract(topic), TimeRule.of(settings)).persist(StorageLevel.DISK_ONLY)
    try:
        counted = (events_before.count(), refused_before.count(), events_kept.count() + refused_kept.count())
        told = said(events_kept, contract(topic))
        ranked = rank(valid_events(parsed, silver), told, _lineage(events_before, LINEAGE))
        events = ranked.where("_rank = 1").select(_names(silver))
        refused = rejected(parsed, quarantine).unionByName(conflicting(messages, quarantine, conflicts_of(ranked)))
        orphans = orphaned(ranked, quarantine, topic).join(refused_kept.select(*PLACE), [*PLACE], "left_anti")
        refused = refused.unionByName(orphans).unionByName(refused_kept)
        for table in (silver, quarantine):
            _check_unchanged(table, settings, read_at[table.name])
        # Quarantine first: an orphan is nowhere else once silver is overwritten.
        _overwrite(refused, quarantine, settings, read_at[quarantine.name])
        _overwrite(events, silver, settings, read_at[silver.name])
    finally:
        parsed.unpersist()
    after = [_read(spark, table, settings).count() for table in (silver, quarantine)]
    return Rejudged(topic, version, counted[0], after[0], counted[1], after[1], counted[2])


def valid_events(parsed: DataFrame, silver: Table) -> DataFrame:
    """The good events, in silver's columns."""
    return parsed.where(F.col(REASON).isNull()).select(_names(silver))


def said(kept: DataFrame, source: Contract) -> DataFrame:
    """``kept`` with the event that its columns say, as JSON: all that is left of what was sent."""
    data = F.struct(*(F.col(f"`{column.name}`") for column in data_columns(source)))
    envelope = {
        "specversion": F.lit("1.0"),
        "id": F.col("event_id"),
        "source": F.col("source"),
        "type": F.lit(source.topic),
        "time": F.col("event_time"),
        "datacontenttype": F.lit("application/json"),
        "dataschema": F.lit(source.dataschema),
        "data": data,
    }
    event = F.struct(*(column.alias(name) for name, column in envelope.items()))
    return kept.withColumn(SAID, F.to_json(event, {"timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX"}))


def rank(events: DataFrame, kept: DataFrame, held: DataFrame) -> DataFrame:
    """``events`` and ``kept`` with their rank among those of their identity, and the event of rank 1.

    An event that silver holds (its lineage is in ``held``) stays the one; else the first by lineage is.
    """
    both = events.unionByName(kept, allowMissingColumns=True).join(held.withColumn(HELD, F.lit(0)), [*LINEAGE], "left")
    order = Window.partitionBy(*IDENTITY).orderBy(F.coalesce(HELD, F.lit(1)), *LINEAGE)
    told = F.struct(*TOLD, SAID)
    return both.withColumns({"_rank": F.row_number().over(order), FIRST: F.first(told).over(order)})


def conflicts_of(ranked: DataFrame) -> DataFrame:
    """Lineage and detail of the events that differ from the one of their identity that stays."""
    return ranked.where((F.col("_rank") > 1) & differs_from(FIRST)).select(*LINEAGE, _detail().alias(DETAIL))


def orphaned(ranked: DataFrame, quarantine: Table, topic: str) -> DataFrame:
    """Rows of quarantine for kept events that another of their identity displaces: bronze has no message to put there.

    Of two kept events of before digests were noted only the columns tell whether they say the same.
    """
    differs = differs_from(FIRST) | (F.col(f"{FIRST}.{SAID}") != F.col(SAID))
    displaced = ranked.where((F.col("_rank") > 1) & F.col(SAID).isNotNull() & differs)
    taken = {
        "topic": F.lit(topic),
        "partition": F.col("_partition"),
        "offset": F.col("_offset"),
        "generation": F.col("_generation"),
        "broker_time": F.col("broker_time"),
        "ingested_at": F.col("ingested_at"),
        "ingest_date": F.to_date("ingested_at"),
        "value": F.encode(SAID, "UTF-8"),
        "reason": F.lit(str(Reason.CONFLICT)),
        "detail": F.concat(_detail(), F.lit("; bronze no longer has the message, the value is what silver had of it")),
    }
    lacking = F.lit(None)
    return displaced.select(
        [taken.get(column.name, lacking.cast(column.sql_type)).alias(column.name) for column in quarantine.columns]
    )


def _detail() -> Column:
    other_time = F.col(f"{FIRST}.event_time") != F.col("event_time")
    place = [F.col(f"{FIRST}.{name}") for name in ("_partition", "_offset", "_generation")]
    what = F.when(other_time, "another time").otherwise("this time with other data")
    return F.format_string(SENTENCE, *place, what)


def _kept(rows: DataFrame, place: tuple[str, ...], messages: DataFrame) -> DataFrame:
    """Those of ``rows`` whose message bronze no longer has: retention removed it, and nobody can judge it again."""
    same = [F.col(f"r.{name}") == F.col(f"m.{lineage}") for name, lineage in zip(place, LINEAGE, strict=True)]
    return rows.alias("r").join(messages.select(*LINEAGE).alias("m"), same, "left_anti")


def _kept_refusals(refused: DataFrame, messages: DataFrame) -> DataFrame:
    """What ended the application whenever it was judged stays too: judging it again would end this."""
    unprocessable = F.col("reason") == str(Reason.UNPROCESSABLE)
    return refused.where(unprocessable).unionByName(_kept(refused.where(~unprocessable), PLACE, messages))


def _lineage(rows: DataFrame, place: tuple[str, ...]) -> DataFrame:
    return rows.select([F.col(name).alias(lineage) for name, lineage in zip(place, LINEAGE, strict=True)])


def _placed(messages: DataFrame) -> DataFrame:
    place = [F.coalesce("generation", F.lit(FIRST_GENERATION)), F.col("partition"), F.col("offset")]
    return messages.withColumns(dict(zip(LINEAGE, place, strict=True)))


def _read(spark: SparkSession, table: Table, settings: Settings, version: int | None = None) -> DataFrame:
    options = {} if version is None else {"versionAsOf": str(version)}
    return spark.read.format("delta").options(**options).load(table.path(settings))


def _aligned(spark: SparkSession, table: Table, settings: Settings) -> DataFrame:
    """All rows of ``table`` in its declared columns, those that it does not have yet among them."""
    # As of now: what is written from these rows may be written after the table was.
    rows = _read(spark, table, settings, commits.current_version(table, settings))
    older = {
        column.name: F.lit(OLDER.get(column.name)).cast(column.sql_type)
        for column in table.columns
        if column.name not in rows.columns
    }
    return rows.withColumns(older).select(_names(table)) if older else rows.select(_names(table))


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _overwrite(rows: DataFrame, table: Table, settings: Settings, version: int) -> None:
    """All rows of ``table``, which was read at ``version``, in one commit; columns that others added to it stay, empty.

    Where a column that must have a value was lacking, a second commit says that of it.
    """
    writer = rows.write.format("delta").mode("overwrite").option("mergeSchema", "true").option("userMetadata", NOTE)
    _check_unchanged(table, settings, version)
    try:
        writer.save(table.path(settings))
    except commits.CONFLICTS as error:
        raise ChangedMeanwhileError(table) from error
    require_columns(table, settings)


def _check_unchanged(table: Table, settings: Settings, version: int) -> None:
    """Delta compares with what it finds when a write begins, which is long after the table was read."""
    if commits.current_version(table, settings) != version:
        raise ChangedMeanwhileError(table)

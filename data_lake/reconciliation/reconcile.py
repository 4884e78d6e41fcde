"""Reconciliation of topics: the equation of :mod:`data_lake.reconciliation.equation`, evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from data_lake.reconciliation import equation
from data_lake.reconciliation.aborted import find_aborted
from data_lake.reconciliation.gaps import ReadOffsets, explain_gaps
from data_lake.reconciliation.index import topic_index
from data_lake.reconciliation.report import AcceptedLoss, Finding, PartitionReport, Report, TopicReport
from data_lake.topic_starts import compare, starts
from ingestion_layer.kafka.offsets import Offsets, topic_offsets
from ingestion_layer.kafka.open_transactions import OpenTransaction, waiting_in
from ingestion_layer.kafka.reading import range_reader
from tidemill.config.settings import Settings

SAMPLE = 10


def reconcile(settings: Settings, topics: Sequence[str]) -> Report:
    """Whether the lake holds exactly what the broker holds of each of ``topics``, up to the broker's end now.

    Raises:
        BrokerUnavailableError: no broker answered.
        MissingTableError: a table of the topic was never written.
    """
    return Report({topic: reconcile_topic(settings, topic) for topic in topics})


def reconcile_topic(settings: Settings, topic: str, offsets: Mapping[int, Offsets] | None = None) -> TopicReport:
    """The equation of one topic, up to the ends in ``offsets``: the broker's of now when not given."""
    offsets = topic_offsets(settings, topic) if offsets is None else offsets
    with topic_index(settings, topic, offsets, starts(settings, topic)) as connection:
        known = [*_other_topic(settings, topic), *_ahead_of_broker(connection, topic_offsets(settings, topic))]
        with _reading(settings, topic, settings.stream.isolation) as read:
            explain_gaps(connection, read, lambda: _lows(settings, topic))
            if settings.stream.isolation == "read_committed":
                with _reading(settings, topic, "read_uncommitted") as every:
                    find_aborted(connection, read, every)
        return evaluate(connection, topic, known, waiting_in(topic, offsets))


def _lows(settings: Settings, topic: str) -> Mapping[int, int]:
    return {partition: of.low for partition, of in topic_offsets(settings, topic).items()}


@contextmanager
def _reading(settings: Settings, topic: str, isolation: str) -> Iterator[ReadOffsets]:
    with range_reader(settings, topic, isolation) as reader:
        yield lambda partition, first, end: (message.offset() for message in reader.messages(partition, first, end))


def evaluate(
    connection: duckdb.DuckDBPyConnection,
    topic: str,
    known: Sequence[Finding] = (),
    waiting: Sequence[OpenTransaction] = (),
) -> TopicReport:
    """The report on an index whose gaps were explained; ``known`` findings are added to those of the equation."""
    bronze, quarantine, valid, keys, silver = _row(connection, equation.COUNTS)
    findings = [finding for problem, sql in equation.CHECKS.items() for finding in _check(connection, problem, sql)]
    if keys != silver:
        sample = (f"{keys} keys, {silver} rows",)
        findings.append(Finding("distinct valid keys of bronze against rows of silver", abs(keys - silver), sample))
    return TopicReport(
        topic=topic,
        bronze_rows=bronze,
        quarantine_rows=quarantine,
        quarantine_by_reason=dict(connection.execute(equation.REASONS).fetchall()),
        valid_rows=valid,
        valid_keys=keys,
        duplicate_rows=valid - keys,
        silver_rows=silver,
        partitions={row[0]: PartitionReport(*row[1:]) for row in connection.execute(equation.PARTITIONS).fetchall()},
        ended_generations=dict(connection.execute(equation.GENERATIONS).fetchall()),
        accepted_loss=tuple(AcceptedLoss(*row) for row in connection.execute(equation.ACCEPTED).fetchall()),
        waiting=tuple(waiting),
        findings=(*known, *findings),
    )


def _check(connection: duckdb.DuckDBPyConnection, problem: str, sql: str) -> list[Finding]:
    named, count = _row(connection, f"SELECT count(*), coalesce(sum(rows), 0)::BIGINT FROM ({sql})")  # noqa: S608
    if not count:
        return []
    sample = connection.execute(f"SELECT what FROM ({sql}) ORDER BY what LIMIT {SAMPLE}").fetchall()  # noqa: S608
    return [Finding(problem, count, tuple(what for (what,) in sample), sample_is_complete=named <= SAMPLE)]


def _other_topic(settings: Settings, topic: str) -> list[Finding]:
    difference = compare(settings, topic)
    return [] if difference is None else [Finding("the broker has another topic of this name", 1, (difference,))]


def _ahead_of_broker(connection: duckdb.DuckDBPyConnection, now: Mapping[int, Offsets]) -> list[Finding]:
    last = connection.execute(
        'SELECT partition, max("offset") FROM bronze_all WHERE generation = (SELECT max(generation) FROM broker)'
        " GROUP BY partition ORDER BY 1"
    ).fetchall()
    ahead = [(partition, offset, now[partition].high) for partition, offset in last if partition in now]
    beyond = [(partition, offset, high) for partition, offset, high in ahead if offset >= high]
    if not beyond:
        return []
    problem = "in bronze beyond the broker's end: the topic was truncated or made anew"
    sample = tuple(
        f"partition {partition} offset {offset} (broker ends at {high})" for partition, offset, high in beyond
    )
    return [Finding(problem, sum(offset - high + 1 for _, offset, high in beyond), sample)]


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row: tuple[int, ...] | None = connection.execute(sql).fetchone()
    return row if row is not None else ()

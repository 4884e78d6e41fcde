"""Reconciliation of topics: the equation of :mod:`data_lake.reconciliation.equation`, evaluated."""

from collections.abc import Mapping, Sequence

import duckdb

from config.settings import Settings
from data_lake.reconciliation import equation
from data_lake.reconciliation.broker import Offsets, broker_offsets
from data_lake.reconciliation.index import topic_index
from data_lake.reconciliation.report import Finding, PartitionReport, Report, TopicReport

SAMPLE = 10


def reconcile(settings: Settings, topics: Sequence[str]) -> Report:
    """Whether the lake holds exactly what the broker holds of each of ``topics``, up to the broker's end now.

    Raises:
        BrokerUnavailableError: no broker answered.
        MissingTableError: a table of the topic was never written.
    """
    return Report({topic: reconcile_topic(settings, topic) for topic in topics})


def reconcile_topic(settings: Settings, topic: str) -> TopicReport:
    """The equation of one topic."""
    offsets = broker_offsets(settings, topic)
    with topic_index(settings, topic, offsets) as connection:
        ahead = _ahead_of_broker(connection, broker_offsets(settings, topic))
        return evaluate(connection, topic, ahead)


def evaluate(connection: duckdb.DuckDBPyConnection, topic: str, known: Sequence[Finding] = ()) -> TopicReport:
    """The report on an index; ``known`` findings are added to those of the equation."""
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
        findings=(*known, *findings),
    )


def _check(connection: duckdb.DuckDBPyConnection, problem: str, sql: str) -> list[Finding]:
    named, count = _row(connection, f"SELECT count(*), coalesce(sum(rows), 0)::BIGINT FROM ({sql})")  # noqa: S608
    if not count:
        return []
    sample = connection.execute(f"SELECT what FROM ({sql}) ORDER BY what LIMIT {SAMPLE}").fetchall()  # noqa: S608
    return [Finding(problem, count, tuple(what for (what,) in sample), sample_is_complete=named <= SAMPLE)]


def _ahead_of_broker(connection: duckdb.DuckDBPyConnection, now: Mapping[int, Offsets]) -> list[Finding]:
    last = connection.execute(
        'SELECT partition, max("offset") FROM bronze_all GROUP BY partition ORDER BY 1'
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

"""A job as statements of Flink SQL: the query once for each wait, each result in the envelope of an event."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from stream_processing.flink.identity import hash_sql, id_sql, literal
from stream_processing.flink.job import Job, JobError
from stream_processing.flink.tables import (
    ENVELOPE,
    RESERVED,
    Clock,
    events_view,
    results_table,
    time_text_sql,
    topic_table,
)
from tidemill.config.settings import Settings
from tidemill.contracts.columns import data_types
from tidemill.contracts.registry import Contract

STANDS_ON = "stands_on"
"""The column of a query that has the identities of the events that a result stands on."""


@dataclass(frozen=True)
class Pass:
    """The query with one wait: what it needs, made in a database of its own, and what it inserts."""

    database: str
    definitions: tuple[str, ...]
    insert: str


@dataclass(frozen=True)
class Program:
    """Everything that is submitted of a job, and all that its results follow from."""

    job: str
    state: str
    remembers_s: float
    passes: tuple[Pass, ...]

    def as_json(self) -> dict[str, Any]:
        """As a record has it once it is read again."""
        described: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return described


def _check_names(job: Job) -> None:
    for name, contract in job.reads.items():
        for column in sorted({*RESERVED} & data_types(contract).keys()):
            raise JobError(
                f"{job.file}: reads.{name}: {contract.topic} has a property {column!r}, as every table has one"
            )


def program(settings: Settings, job: Job) -> Program:
    """The program of ``job``.

    Raises:
        JobError: its results have a key that is no text, or a topic has a property called like a column of every table.
    """
    _check_names(job)
    passes = tuple(_pass(settings, job, wait_s) for wait_s in job.waits_s)
    return Program(job.name, job.state, job.remembers_s, passes)


def database(wait_s: float) -> str:
    """The name of the database that has the tables of the pass that waits so long."""
    return f"within_{round(wait_s * 1000)}_ms"


def _pass(settings: Settings, job: Job, wait_s: float) -> Pass:
    definitions: list[str] = []
    for name, contract in job.reads.items():
        messages = f"{name}_messages"
        group = f"tidemill-flink-{job.name}-{database(wait_s)}"
        definitions += [
            topic_table(settings, messages, contract, Clock(wait_s, job.idle_s), group),
            events_view(settings, name, messages, contract),
        ]
    definitions += [f"CREATE TEMPORARY VIEW `{name}` AS\n{query}" for name, query in job.views.items()]
    definitions.append(results_table(settings, _results(job), job.writes))
    return Pass(database(wait_s), tuple(definitions), _insert(job))


def _results(job: Job) -> str:
    return f"{job.writes.table}_results"


def _insert(job: Job) -> str:
    contract, key = job.writes, _key(job)
    envelope = {
        "specversion": "'1.0'",
        "id": id_sql("`digest`"),
        "source": literal(job.source),
        "type": literal(contract.topic),
        "time": time_text_sql("`event_time`"),
        "datacontenttype": "'application/json'",
        "dataschema": literal(contract.dataschema),
    }
    columns = ",\n  ".join([f"{key} AS `message_key`", *(f"{envelope[field]} AS `{field}`" for field in ENVELOPE)])
    digest = hash_sql(job.source, key, f"`{STANDS_ON}`")
    return (
        f"INSERT INTO `{_results(job)}`\nSELECT\n  {columns},\n  ROW({', '.join(_data(contract))}) AS `data`\n"  # noqa: S608
        f"FROM (SELECT *, {digest} AS `digest` FROM (\n{job.query}\n))"
    )


def _key(job: Job) -> str:
    kinds = data_types(job.writes)
    for field in job.writes.key_fields:
        if kinds[field].sql != "STRING":
            raise JobError(f"{job.file}: writes = {job.writes.topic!r}: its key {field} is no text")
    fields = [f"`{field}`" for field in job.writes.key_fields]
    return fields[0] if len(fields) == 1 else f"COALESCE({', '.join(fields)})"


def _data(contract: Contract) -> Iterator[str]:
    for name, kind in data_types(contract).items():
        yield time_text_sql(f"`{name}`") if kind.sql == "TIMESTAMP" else f"`{name}`"

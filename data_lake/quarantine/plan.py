"""What a replay would do: each judged event held against the events that silver has, or is about to have."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import duckdb

from data_lake import tables
from data_lake.arrow import source
from data_lake.delta_rs import open_table
from data_lake.quarantine.judging import Verdict
from data_lake.tables import NO_DIGEST
from tidemill.config.settings import Settings
from tidemill.contracts.checker import Reason

SAMPLE = 5
HELD = """
CREATE OR REPLACE TABLE identities AS SELECT DISTINCT source, event_id FROM judged WHERE verdict = 'send';
CREATE OR REPLACE TABLE held AS
    SELECT source, event_id, epoch_us(event_time) AS time, _digest AS digest
    FROM silver_rows SEMI JOIN identities USING (source, event_id);
INSERT INTO held
    SELECT source, event_id, first(time ORDER BY replayed_at), first(digest ORDER BY replayed_at)
    FROM (FROM states WHERE state = 'sent') sent SEMI JOIN identities USING (source, event_id)
        ANTI JOIN quarantine_rows q ON (q.generation, q.partition, q."offset")
                                     = (sent.new_generation, sent.new_partition, sent.new_offset)
        ANTI JOIN held USING (source, event_id)
    GROUP BY source, event_id;
"""
"""What silver has of the identities that are to be sent, and what earlier replays sent that is on its way there."""
COMPARE = f"""
CREATE OR REPLACE TABLE compared AS
SELECT generation, partition, "offset", kept_time IS NOT NULL AS is_in_silver,
       CASE WHEN kept_time IS NULL AND rank = 1 THEN 'new'
            WHEN time != coalesce(kept_time, first_time) THEN 'another time'
            WHEN digest = coalesce(kept_digest, first_digest) OR kept_digest = {NO_DIGEST} THEN 'the same'
            ELSE 'this time with other data' END AS what
FROM (SELECT j.*, h.time AS kept_time, h.digest AS kept_digest, row_number() OVER same AS rank,
             first(j.time) OVER same AS first_time, first(j.digest) OVER same AS first_digest
      FROM judged j LEFT JOIN held h USING (source, event_id) WHERE verdict = '{Verdict.SEND}'
      WINDOW same AS (PARTITION BY source, event_id ORDER BY generation, partition, "offset"));
UPDATE judged
SET verdict = CASE what WHEN 'the same' THEN '{Verdict.KNOWN}' ELSE '{Reason.CONFLICT}' END,
    detail = CASE WHEN what != 'the same' THEN '/id: ' || CASE WHEN is_in_silver THEN 'silver' ELSE
             'an earlier message of these' END || ' has this source and id at ' || what END
FROM compared c WHERE what != 'new'
    AND (judged.generation, judged.partition, judged."offset") = (c.generation, c.partition, c."offset");
"""  # noqa: S608 - constants
COUNTS = "SELECT verdict, count(*) FROM judged GROUP BY verdict ORDER BY verdict"
SAMPLES = f"""
SELECT verdict, generation, partition, "offset", detail FROM judged
WHERE verdict NOT IN ('{Verdict.SEND}', '{Verdict.KNOWN}', '{Verdict.LEFT}')
QUALIFY row_number() OVER (PARTITION BY verdict ORDER BY generation, partition, "offset") <= {SAMPLE}
ORDER BY verdict, generation, partition, "offset"
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Sample:
    """One of the messages that stay in quarantine, and why."""

    generation: int
    partition: int
    offset: int
    detail: str


@dataclass(frozen=True)
class Plan:
    """How many messages are judged how: ``refused`` by reason, with the first few of each in ``samples``.

    ``known`` events are in silver already, or the same as one that is to be sent; of ``left`` ones the fix gave None.
    """

    send: int
    known: int
    left: int
    fix_failed: int
    refused: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, tuple[Sample, ...]] = field(default_factory=dict)

    @property
    def messages(self) -> int:
        return self.send + self.known + self.left + self.fix_failed + sum(self.refused.values())


def compare(connection: duckdb.DuckDBPyConnection, settings: Settings, topic: str) -> Plan:
    """The plan for what is ``judged``: after it, what is to be sent is news to silver, each identity once."""
    with _attached(connection, settings, topic):
        connection.execute(HELD)
    connection.execute(COMPARE)
    counts = dict(connection.execute(COUNTS).fetchall())
    send, known, left, failed = (counts.pop(str(verdict), 0) for verdict in Verdict)
    return Plan(send, known, left, failed, counts, _samples(connection))


def _samples(connection: duckdb.DuckDBPyConnection) -> Mapping[str, tuple[Sample, ...]]:
    rows = connection.execute(SAMPLES).fetchall()
    return {verdict: tuple(Sample(*row[1:]) for row in rows if row[0] == verdict) for verdict, *_ in rows}


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, settings: Settings, topic: str) -> Iterator[None]:
    attached = {"silver_rows": tables.silver(topic), "quarantine_rows": tables.quarantine(topic)}
    for name, table in attached.items():
        connection.register(name, source(open_table(table, settings)))
    yield
    for name in attached:
        connection.unregister(name)

"""Replaying: messages of quarantine judged again, and what is an event now sent through their topic, each once.

An event is claimed on record before it is sent, and noted as sent when the broker was seen to have it. A run that was
ended in between is finished by the next: it looks for the claimed events in the topic, and sends those that are not
there, as they were claimed. Should one come twice all the same, it has one identity, and silver keeps it once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import uuid4

import duckdb
import pyarrow as pa

from data_lake.quarantine.fix import Fix, FixFailedError
from data_lake.quarantine.judging import Judge, Verdict
from data_lake.quarantine.ledger import SCHEMA, Ledger, LedgerChangedError, State, noted
from data_lake.quarantine.lock import replaying
from data_lake.quarantine.origin import TopicIds
from data_lake.quarantine.plan import Plan, compare
from data_lake.quarantine.selection import Selection
from data_lake.quarantine.sending import Sender, sender
from data_lake.quarantine.workbench import judge_all, workbench
from ingestion_layer.kafka.offsets import topic_offsets
from tidemill.config.settings import Settings

LEASE = timedelta(minutes=5)
"""Beyond ``kafka.delivery_timeout_s``: claims of another home folder that are older are nobody's any more."""
MEGABYTES, EVENTS = 16, 5_000
BATCHES = f"""
CREATE OR REPLACE TABLE batches AS
SELECT generation, partition, "offset", (sum(greatest(octet_length(value), {MEGABYTES << 20} // {EVENTS})) OVER (
       ORDER BY generation, partition, "offset") // {MEGABYTES << 20})::INT AS batch
FROM judged WHERE verdict = '{Verdict.SEND}'
"""  # noqa: S608 - constants
"""So that a batch has at most so many events and, unless one alone is larger, about so many bytes."""
JUDGED = """
SELECT generation, partition, "offset", coalesce(s.attempt, 0) + 1 AS attempt, j.source, j.event_id,
       make_timestamptz(j.time) AS event_time, j.digest, j.key, j.value
FROM judged j LEFT JOIN states s USING (generation, partition, "offset")
"""
BATCH = f"""
SELECT * FROM ({JUDGED}) SEMI JOIN (FROM batches WHERE batch = $batch) USING (generation, partition, "offset")
ANTI JOIN (FROM states WHERE state != 'released') USING (generation, partition, "offset")
ORDER BY generation, partition, "offset"
"""  # noqa: S608 - constants
KNOWN = f"""
SELECT * REPLACE (NULL::BLOB AS key, NULL::BLOB AS value)
FROM ({JUDGED}) SEMI JOIN (FROM judged WHERE verdict = '{Verdict.KNOWN}') USING (generation, partition, "offset")
"""  # noqa: S608 - constants
OUTSTANDING = """
SELECT claim_id, any_value(replayer), max(replayed_at), count(*) FROM states WHERE state = 'claimed' GROUP BY claim_id
ORDER BY claim_id
"""


class OnProgress(Protocol):
    """Takes what is done (judging or sending), how many messages are, and of how many."""

    def __call__(self, doing: str, done: int, total: int) -> None: ...


@dataclass(frozen=True)
class Replayed:
    """What came of ``plan``.

    ``sent`` events, ``finished`` ones of an earlier run that was ended, ``too_large`` ones that stay in quarantine, and
    messages that somebody ``elsewhere`` is replaying or took first.
    """

    topic: str
    is_dry_run: bool
    plan: Plan
    sent: int = 0
    finished: int = 0
    too_large: int = 0
    elsewhere: int = 0


@dataclass(frozen=True)
class Replayer:
    """One run: who claims what, and by which fix."""

    settings: Settings
    selection: Selection
    fix: Fix | None
    home: str
    who: str
    connection: duckdb.DuckDBPyConnection
    ledger: Ledger
    sender: Sender

    def finish(self) -> tuple[int, int]:
        """Bring claims that nobody is at any more to their end: how many were sent, and how many were too large."""
        sent = too_large = 0
        self.ledger.look(self.connection)
        for claim_id, home, claimed_at, _ in self.connection.execute(OUTSTANDING).fetchall():
            if not self._is_abandoned(home, claimed_at):
                continue
            there, rest = self.sender.note(self.ledger.claims(self.connection, claim_id))
            sent += there
            if len(rest):
                claims = self._claimed_again(rest)
                now, large = self.sender.send(claims)
                sent, too_large = sent + now, too_large + large
            self.ledger.look(self.connection)
        return sent, too_large

    def elsewhere(self) -> int:
        """How many messages others have claimed."""
        return sum(count for *_, count in self.connection.execute(OUTSTANDING).fetchall())

    def plan(self, on_progress: OnProgress) -> Plan:
        judge = Judge.of(self.settings, self.sender.ids, self.fix, datetime.now(UTC))
        return make_plan(self.connection, self.settings, self.selection, judge, on_progress)

    def send(self, on_progress: OnProgress, total: int) -> tuple[int, int]:
        """Claim and send what is to be sent, batch by batch: how many were sent, and how many were too large."""
        sent = too_large = 0
        for number in self._batches():
            claims = self._claimed(number)
            if len(claims):
                now, large = self.sender.send(claims)
                sent, too_large = sent + now, too_large + large
                on_progress("sending", sent, total)
        return sent, too_large

    def note_known(self) -> None:
        for batch in self.connection.sql(KNOWN).to_arrow_reader(EVENTS):
            self.ledger.note(self._rows(pa.Table.from_batches([batch]), State.KNOWN, None))

    def _batches(self) -> Iterator[int]:
        self.connection.execute(BATCHES)
        numbers = self.connection.execute("SELECT DISTINCT batch FROM batches ORDER BY batch").fetchall()
        return (number for (number,) in numbers)

    def _claimed(self, number: int) -> pa.Table:
        """The batch, less what others claimed meanwhile, on record as ours."""
        while True:
            self.ledger.look(self.connection)
            batch = self.connection.sql(BATCH, params={"batch": number}).to_arrow_table()
            claims = self._rows(batch, State.CLAIMED, self._ends())
            if not len(claims):
                return claims
            try:
                self.ledger.claim(claims)
            except LedgerChangedError:
                continue
            return claims

    def _claimed_again(self, rest: pa.Table) -> pa.Table:
        """An abandoned batch, on record as ours; where it is looked for begins where it did.

        Raises:
            LedgerChangedError: another was quicker.
        """
        attempts = pa.array([attempt + 1 for attempt in rest["attempt"].to_pylist()], pa.int32())
        claims = noted(rest, attempt=attempts, claim_id=uuid4().hex, replayed_at=datetime.now(UTC), **self._who())
        self.ledger.claim(claims)
        return claims

    def _rows(self, judged: pa.Table, state: State, ends: list[tuple[int, int]] | None) -> pa.Table:
        given = {
            "topic": self.selection.topic,
            "state": str(state),
            "claim_id": uuid4().hex,
            "topic_id": self.sender.ids.present,
            "ends": ends,
            "fix": None if self.fix is None else self.fix.name,
            "replayed_at": datetime.now(UTC),
            **self._who(),
        }
        columns = {
            field.name: judged[field.name].cast(field.type)
            if field.name in judged.column_names
            else pa.array([given.get(field.name)] * len(judged), field.type)
            for field in SCHEMA
        }
        return pa.table(columns, schema=SCHEMA)

    def _who(self) -> dict[str, str]:
        return {"replayer": self.home, "replayed_by": self.who}

    def _ends(self) -> list[tuple[int, int]]:
        offsets = topic_offsets(self.settings, self.selection.topic)
        return [(partition, of.high) for partition, of in sorted(offsets.items())]

    def _is_abandoned(self, home: str, claimed_at: datetime) -> bool:
        """Nobody else replays this topic from our home; another may be at it for as long as its messages may take."""
        lease = LEASE + timedelta(seconds=self.settings.kafka.delivery_timeout_s)
        return home == self.home or datetime.now(UTC) - claimed_at > lease


def make_plan(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    selection: Selection,
    judge: Judge,
    on_progress: OnProgress,
) -> Plan:
    """Judge the messages of ``selection`` that are open by the table ``states``, and hold them against silver."""
    judge_all(connection, settings, selection, judge, lambda done, total: on_progress("judging", done, total))
    return compare(connection, settings, selection.topic)


def dry_run(settings: Settings, selection: Selection, fix: Fix | None, on_progress: OnProgress) -> Replayed:
    """What a replay would do now; nothing is written or sent."""
    with workbench() as connection:
        Ledger.read(settings, selection.topic).look(connection)
        judge = Judge.of(settings, TopicIds.of(settings, selection.topic), fix, datetime.now(UTC))
        plan = make_plan(connection, settings, selection, judge, on_progress)
        claimed = sum(count for *_, count in connection.execute(OUTSTANDING).fetchall())
        return Replayed(selection.topic, True, plan, elsewhere=claimed)


def replay(settings: Settings, selection: Selection, fix: Fix | None, who: str, on_progress: OnProgress) -> Replayed:
    """Send what of ``selection`` is an event now, and put on record what became of it.

    Raises:
        FixFailedError: the fix raised, or gave what is no event, for any message; then nothing of them is sent.
        ReplayRunsError: another process replays this topic.
        NotAcknowledgedError: the broker did not take all; the next run finishes it.
        LedgerChangedError: another home took over the same abandoned claims.
    """
    topic = selection.topic
    ids = TopicIds.of(settings, topic)
    with replaying(settings, topic) as home, workbench() as connection:
        ledger = Ledger.made(settings, topic)
        with sender(settings, ids, ledger) as sending:
            run = Replayer(settings, selection, fix, home, who, connection, ledger, sending)
            finished, large_before = run.finish()
            elsewhere, plan = run.elsewhere(), run.plan(on_progress)
            check_fix(plan)
            sent, too_large = run.send(on_progress, plan.send)
            run.note_known()
            elsewhere += plan.send - sent - too_large
            return Replayed(topic, False, plan, sent, finished, too_large + large_before, elsewhere)


def check_fix(plan: Plan) -> None:
    """Raises FixFailedError where the fix failed on any message: what it made of the others is not to be trusted."""
    if plan.fix_failed:
        first = "; ".join(
            f"partition {at.partition} offset {at.offset}: {at.detail}" for at in plan.samples["fix_failed"]
        )
        raise FixFailedError(
            f"the fix failed on {plan.fix_failed:,} of {plan.messages:,} messages, and nothing was sent: {first}. "
            "Let it give None for what it cannot mend"
        )

"""What must hold when everything has come to rest."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from data_lake.tables import silver
from tests.soak.answered import TOPIC
from tests.soak.faults import Fault
from tests.soak.judge import Judge
from tests.soak.plan import kill
from tests.soak.traffic import USE_CASE, Answer, Traffic
from tests.troubles.stack import Stack

WHOLE_S = 600.0
POLL_S = 5.0
A_REQUEST = 250
CATCH_UP_S = 400
SHOWN = 3
UNSENT_S = 20.0
"""What a server that is killed has answered and not yet sent is from these last seconds, while the broker is there."""

OPEN = pa.schema({"request_id": "string", "entity_id": "string", "answered_at": "double"})
Say = Callable[[str], None]


@dataclass(frozen=True)
class Check:
    """``told`` says what was found; ``wrong``, what of it must not be."""

    name: str
    told: str
    wrong: str = ""


def states_are_whole(traffic: Traffic, judge: Judge, say: Say) -> Check:
    """Ask about every customer until no answer lacks anything and each is from the newest commit."""
    name, deadline = "states of all customers", time.monotonic() + WHOLE_S
    while True:
        customers = sorted(judge.customers)
        answers = [answer for part in _parts(customers) for answer in traffic.ask(part)]
        degraded = Counter(reason for answer in answers for reason in answer.degraded)
        wanted = judge.silver.last_change
        told = f"{len(answers):,} of {len(customers):,} answered, from commit {wanted}"
        trouble = _trouble(answers, customers, degraded, judge, wanted)
        if not trouble:
            return Check(name, told)
        if time.monotonic() >= deadline:
            return Check(name, told, trouble)
        say(f"waiting for the states: {trouble}")
        time.sleep(POLL_S)


def _trouble(
    answers: Sequence[Answer], customers: Sequence[str], degraded: Counter[str], judge: Judge, wanted: int
) -> str:
    if len(answers) < len(customers):
        return f"{len(customers) - len(answers)} customers without an answer"
    if degraded:
        return f"answers are degraded: {dict(degraded)}"
    if not judge.has_taken_in(wanted):
        return f"states have come to {judge.judged.applied} of commit {wanted}"
    return ""


def reconciled(stack: Stack) -> Check:
    report = stack.json("reconcile", "--wait", str(CATCH_UP_S), allowed=(0, 1))
    findings = {name: topic["findings"] for name, topic in report["topics"].items() if not topic["holds"]}
    rows = sum(topic["bronze_rows"] for topic in report["topics"].values())
    return Check("reconcile", f"{rows:,} messages", "" if report["holds"] else str(findings))


def consistent(stack: Stack, begin: float) -> Check:
    """The product's own comparison of what was logged with the lake."""
    since = datetime.fromtimestamp(begin, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found = stack.json("features", "consistency", USE_CASE, "--from", since, allowed=(0, 1))
    told = f"{found['fetches']:,} fetches compared, {found['behind']:,} of them behind the lake"
    return Check("features consistency", told, "" if found["rate"] == 0 and found["fetches"] else str(found))


def acknowledged_is_in_bronze(stack: Stack, acknowledged: Counter[str]) -> Check:
    """What the commands that sent events said the broker has, against what of it the lake got."""
    missing = {}
    for topic, count in acknowledged.items():
        rows = stack.sql(f'select count(*) from bronze."{topic}"')[0][0]
        if rows < count:
            missing[topic] = f"{count - rows} of {count}"
    told = f"{sum(acknowledged.values()):,} messages acknowledged"
    return Check("acknowledged is in bronze", told, str(missing) if missing else "")


def logged_once(stack: Stack, traffic: Traffic, faults: Sequence[Fault]) -> Check:
    """Every prediction that a client has is once in silver; a killed server loses what it had not sent yet."""
    lost = unsent(faults)
    log = DeltaTable(silver(TOPIC).path(stack.settings)).to_pyarrow_dataset()
    with duckdb.connect() as connection:
        connection.register("log", log)
        more = connection.execute(
            "SELECT request_id, entity_id, count(*) FROM log GROUP BY ALL HAVING count(*) > 1"
        ).fetchall()
        rows = connection.execute("SELECT count(*) FROM log").fetchall()[0][0]
        connection.register("open", pa.Table.from_pylist(_open(traffic), schema=OPEN))
        missing = connection.execute(
            "SELECT request_id, entity_id, answered_at FROM open ANTI JOIN log USING (request_id, entity_id)"
        ).fetchall()
    unexplained = [one for one in missing if not any(begin <= one[2] <= end for begin, end in lost)]
    told = f"{rows:,} predictions, {len(missing) - len(unexplained)} lost with a killed server"
    wrong = [f"{len(more)} more than once: {more[:SHOWN]}"] if more else []
    wrong += [f"{len(unexplained)} not there: {unexplained[:SHOWN]}"] if unexplained else []
    return Check("predictions in the log", told, "; ".join(wrong))


def _open(traffic: Traffic) -> list[dict[str, str | float]]:
    return [
        {"request_id": answer.request_id, "entity_id": answer.customer, "answered_at": answer.at}
        for answer in list(traffic.open.values())
    ]


def unsent(faults: Sequence[Fault]) -> list[tuple[float, float]]:
    """From when to when an answer may be missing: before a kill of the server, longer if it had no broker then."""
    away = [(fault.at, fault.repaired_at or math.inf) for fault in faults if fault.kind == kill("kafka")]
    periods = []
    for killed in (fault.at for fault in faults if fault.kind == kill("model-server")):
        since = killed - UNSENT_S
        without = [begin for begin, end in away if begin <= killed and end >= since]
        periods.append((min([since, *(begin - UNSENT_S for begin in without)]), killed + 1))
    return periods


def _parts(customers: Sequence[str]) -> Iterator[Sequence[str]]:
    return (customers[first : first + A_REQUEST] for first in range(0, len(customers), A_REQUEST))

"""The reconciliation equation against a naive version that goes through rows one by one."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.data_lake.lakes import Lake, report


def naively_holds(lake: Lake) -> bool:
    return not any(_breaches(lake))


def _breaches(lake: Lake) -> Iterator[bool]:
    seen = Counter((partition, offset) for partition, offset, _, _ in lake.bronze)
    wanted = {(partition, offset) for partition, (low, high) in lake.broker.items() for offset in range(low, high)}
    wanted -= lake.no_messages
    yield not wanted <= set(seen) or bool(set(seen) & lake.aborted) or any(count > 1 for count in seen.values())
    quarantined = Counter((partition, offset) for partition, offset, _ in lake.quarantine)
    yield any(count > 1 for count in quarantined.values())
    yield not set(quarantined) <= set(seen)
    keys = {event_id for event_id, _, _ in lake.silver}
    yield len(keys) != len(lake.silver)
    lineage = {(partition, offset): event_id for event_id, partition, offset in lake.silver}
    reasons = {(partition, offset): reason for partition, offset, reason in lake.quarantine}
    ours = {"unprocessable", "conflict"}
    ids = {}
    for partition, offset, reason, event_id in lake.bronze:
        at = (partition, offset)
        ids[at] = event_id
        says = {lake.says_the_same(at, kept) for kept in lake.kept(event_id)}
        if at in reasons:
            yield at in lineage
            yield reasons[at] != reason if reason else reasons[at] not in ours
            yield reasons[at] == "conflict" and says <= {True}
        else:
            yield reason is not None or event_id not in keys
            yield at not in lineage and says <= {False}
            yield False in says
        yield reason is not None and at in lineage
    for event_id, partition, offset in lake.silver:
        # Of what was before bronze begins, its retention may have taken the message.
        begin = min((number for of, number, _, _ in lake.bronze if of == partition), default=offset + 1)
        yield offset >= begin and ids.get((partition, offset)) != event_id
    valid = {event_id for p, o, _, event_id in lake.bronze if (p, o) not in reasons}
    yield len(valid) != len(keys & valid)


event_ids = st.sampled_from("abc")
verdicts = st.one_of(
    event_ids.map(lambda one: (None, one)), st.just(("schema", None)), st.just(("time_out_of_range", "a"))
)
BROKER = {0: (0, 4), 1: (0, 2)}
SENT = [(partition, offset) for partition, (low, high) in BROKER.items() for offset in range(low, high)]
MARKER = (0, 2)
positions = st.sampled_from(SENT)
rows = {
    "bronze": st.tuples(positions.filter(MARKER.__ne__), verdicts).map(lambda row: (*row[0], *row[1])),
    "quarantine": st.tuples(positions, st.sampled_from(["schema", "time_out_of_range", "conflict"])).map(
        lambda row: (*row[0], row[1])
    ),
    "silver": st.tuples(event_ids, positions).map(lambda row: (row[0], *row[1])),
}


@st.composite
def lakes(draw: st.DrawFn) -> Lake:
    """A lake as a right platform makes it of any messages, of which up to two rows are gone, changed or added."""
    compacted, aborted = draw(st.sampled_from([(set(), set()), ({(0, 0)}, set()), ({(0, 0)}, {(0, 0)})]))
    lake = Lake(
        broker=BROKER,
        no_messages=frozenset({MARKER} | compacted),
        aborted=frozenset(aborted),
        other=draw(st.sets(positions, max_size=2).map(frozenset)),
    )
    bronze, quarantine, silver = [], [], {}
    for at in (at for at in SENT if at not in lake.no_messages):
        reason, event_id = draw(verdicts)
        bronze.append((*at, reason, event_id))
        if reason is not None:
            quarantine.append((*at, reason))
        elif lake.content(*at) != lake.content(*silver.setdefault(event_id, at)):
            quarantine.append((*at, "conflict"))
    kept = tuple((event_id, *at) for event_id, at in silver.items())
    lake = replace(lake, bronze=tuple(bronze), quarantine=tuple(quarantine), silver=kept)
    for _ in range(draw(st.integers(0, 2))):
        lake = draw(changed(lake))
    return lake


@st.composite
def changed(draw: st.DrawFn, lake: Lake) -> Lake:
    table = draw(st.sampled_from(list(rows)))
    there = list(getattr(lake, table))
    if there and draw(st.booleans()):
        del there[draw(st.integers(0, len(there) - 1))]
    if draw(st.booleans()):
        there.append(draw(rows[table]))
    changes: Any = {table: tuple(there)}
    return replace(lake, **changes)


@settings(max_examples=60)
@given(lakes())
def test_it_holds_exactly_when_the_naive_version_says_so(lake: Lake) -> None:
    assert report(lake).holds == naively_holds(lake), [str(finding) for finding in report(lake).findings]

"""What is news to silver, against a loop over the messages."""

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from data_lake.quarantine.plan import COMPARE
from data_lake.quarantine.workbench import SCHEMA

Said = tuple[int, int]
"""Time and digest of an event."""
says = st.tuples(st.integers(1, 2), st.integers(0, 2))
messages = st.lists(st.tuples(st.sampled_from("ab"), says), max_size=6)
silver = st.dictionaries(st.sampled_from("ab"), says)


def naive(sent: list[tuple[str, Said]], held: dict[str, Said]) -> list[str]:
    """The verdict on each message, in the order of their offsets; a digest of 0 in silver stands for any."""
    verdicts, first = [], dict[str, Said]()
    for identity, (time, digest) in sent:
        if identity not in held and identity not in first:
            first[identity] = (time, digest)
            verdicts.append("send")
            continue
        kept_time, kept_digest = held[identity] if identity in held else first[identity]
        unknown = identity in held and kept_digest == 0
        same = kept_time == time and (kept_digest == digest or unknown)
        verdicts.append("known" if same else "conflict")
    return verdicts


@settings(max_examples=60)
@given(messages, silver)
def test_each_identity_is_sent_once_and_told_from_what_says_something_else(
    sent: list[tuple[str, Said]], held: dict[str, Said]
) -> None:
    with duckdb.connect() as connection:
        connection.execute(SCHEMA)
        connection.execute("CREATE TABLE held (source VARCHAR, event_id VARCHAR, time BIGINT, digest BIGINT)")
        for offset, (identity, (time, digest)) in enumerate(sent):
            row = [offset, identity, time, digest]
            connection.execute("INSERT INTO judged VALUES (1, 0, ?, 'send', NULL, 's', ?, ?, ?, 'k', 'v')", row)
        for identity, said in held.items():
            connection.execute("INSERT INTO held VALUES ('s', ?, ?, ?)", [identity, *said])
        connection.execute(COMPARE)
        rows = connection.execute('SELECT verdict, detail IS NULL FROM judged ORDER BY "offset"').fetchall()
    assert [verdict for verdict, _ in rows] == naive(sent, held)
    assert all(is_silent is (verdict != "conflict") for verdict, is_silent in rows)

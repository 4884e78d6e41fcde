"""The id of a result, and texts as literals of Flink SQL."""

import itertools
import re
import uuid

import duckdb
import pytest

from stream_processing.flink.identity import NAMESPACE, identity, identity_sql, literal, result_id

A, B = identity("urn:shop", "1"), identity("urn:shop", "2")


def test_the_namespace_is_a_uuid_whose_bytes_are_a_text() -> None:
    assert (NAMESPACE.version, NAMESPACE.variant) == (4, uuid.RFC_4122)
    assert uuid.UUID(bytes=NAMESPACE.bytes.decode("utf-8").encode("utf-8")) == NAMESPACE


def test_a_result_is_known_by_its_job_its_key_and_its_events() -> None:
    found = result_id("urn:tidemill:flink:sessions", "c1", [A, B])
    assert found == str(uuid.uuid5(NAMESPACE, "urn:tidemill:flink:sessions\x1fc1\x1furn:shop\x1f1\x1eurn:shop\x1f2"))
    assert found == result_id("urn:tidemill:flink:sessions", "c1", [B, A])
    others = [("urn:tidemill:flink:other", "c1", [A, B]), ("urn:tidemill:flink:sessions", "c2", [A, B])]
    assert found not in {result_id(*other) for other in others}
    assert found != result_id("urn:tidemill:flink:sessions", "c1", [A])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a", "'a'"),
        ("it's", "'it''s'"),
        ("\x1f", r"U&'\001f'"),
        ("é", r"U&'\00e9'"),
        ("😀", r"U&'\d83d\de00'"),
        ("", "''"),
    ],
)
def test_any_text_can_be_a_literal(text: str, written: str) -> None:
    assert literal(text) == written


PARTS = ["".join(part) for length in range(4) for part in itertools.product("a\x1b\x1e\x1fpe", repeat=length)]
"""Every text of up to three of the characters that separate something, or stand for one that does."""


def test_two_events_never_share_an_identity_nor_do_their_results() -> None:
    events = [*itertools.product(PARTS[:200], repeat=2), *itertools.product(PARTS, ["a"])]
    identities = {identity(source, event_id): (source, event_id) for source, event_id in events}
    assert len(identities) == len(set(events))
    assert result_id("j", "c", [identity("s", "1\x1es\x1f2")]) != result_id(
        "j", "c", [identity("s", "1"), identity("s", "2")]
    )


def test_flink_is_asked_for_the_same_identity() -> None:
    asked = re.sub(
        r"U&'\\([0-9a-f]{4})((?:\\[0-9a-f]{4})*)'", lambda text: _as_duckdb(text[0]), identity_sql("$source", "$id")
    )
    for source, event_id in itertools.product(["urn:shop", "a\x1f", "\x1b\x1ep"], ["1", "\x1f", "\x1e\x1b"]):
        ((answer,),) = duckdb.execute(f"SELECT {asked}", {"source": source, "id": event_id}).fetchall()
        assert answer == identity(source, event_id)


def _as_duckdb(text: str) -> str:
    """A literal of Flink SQL as one of DuckDB's, which knows no ``U&``."""
    units = bytes.fromhex("".join(re.findall(r"\\([0-9a-f]{4})", text)))
    return " || ".join(f"chr({ord(character)})" for character in units.decode("utf-16-be"))

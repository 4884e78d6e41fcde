"""The id of a result, and texts as literals of Flink SQL."""

import uuid

import pytest

from stream_processing.flink.identity import NAMESPACE, identity, literal, result_id

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

"""Whatever bytes arrive, each message ends in exactly one place and the batch succeeds."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from tests.integration.stream_processing.conftest import TOPIC, Rows, encode, transaction
from tidemill.contracts import checker

FIELDS = sorted(transaction("x")["data"])
SILVER, QUARANTINE = "silver/transactions", f"quarantine/{TOPIC}"

numbers = st.one_of(
    st.integers(),
    st.integers(min_value=-(2**63), max_value=2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 1e308, 5e-324, 0.1 + 0.2, 2.0, 1e9, 10**30, 2**63]),
)
texts = st.one_of(st.text(), st.sampled_from(["\x00", "\u202e", "\U0001f600", "e\u0301", "ﬀ", "\ufeff", "a" * 70_000]))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10)
times = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda time: time.isoformat() + "Z"),
    st.sampled_from(["2024-05-01T23:59:60Z", "2024-05-01T00:00:00+23:59", "2024-05-01t00:00:00z", "2024-05-01", ""]),
)


def as_json(value: Any) -> bytes:
    """JSON as Python's own module writes it: integers beyond 64 bits too, which orjson refuses."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


@st.composite
def nearly_valid(draw: st.DrawFn) -> bytes:
    """A valid event with one thing changed: a field, the time, or a cut through its bytes."""
    event = transaction(str(draw(st.integers(0, 50))))
    change = draw(st.sampled_from(["data", "envelope", "time", "cut", "extra", "repeated"]))
    if change == "data":
        event["data"] = {**event["data"], draw(st.sampled_from(FIELDS)): draw(json_values)}
    elif change == "envelope":
        event[draw(st.sampled_from(sorted(event)))] = draw(json_values)
    elif change == "time":
        event["time"] = draw(times)
    elif change == "extra":
        event["data"] = {**event["data"], draw(texts): draw(json_values)}
    raw = as_json(event)
    if change == "repeated":
        field = draw(st.sampled_from(FIELDS))
        raw = raw.replace(b'"data": {', f'"data": {{"{field}": '.encode() + as_json(draw(json_values)) + b", ")
    return raw[: draw(st.integers(0, len(raw)))] if change == "cut" else raw


nested = st.integers(1, 3000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)
values = st.one_of(st.none(), st.binary(max_size=200), nested, json_values.map(as_json), nearly_valid())


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(st.lists(values, min_size=150, max_size=300))
def test_no_message_is_lost_and_none_stops_the_stream(
    write: Callable[[DataFrame, int], None],
    messages: Callable[..., DataFrame],
    rows: Rows,
    batch: list[bytes | None],
) -> None:
    frame = messages([*batch, encode(transaction("after the storm"))])
    offsets = [row["offset"] for row in frame.select("offset").collect()]
    write(frame, 0)
    quarantined = {row["offset"]: row for row in rows(QUARANTINE)}
    ids = {row["event_id"] for row in rows(SILVER)}
    assert transaction("after the storm")["id"] in ids
    for offset, value in zip(offsets, batch, strict=False):
        rejection = checker(TOPIC).check_bytes(value)
        if offset in quarantined:
            row = quarantined[offset]
            assert (None if row["value"] is None else bytes(row["value"])) == value
            expected = {rejection.reason} if rejection else {"time_out_of_range", "conflict"}
            assert row["reason"] in expected, (value, row["detail"])
            assert row["reason"] != "conflict" or orjson.loads(value or b"")["id"] in ids
        else:
            assert rejection is None, (value, rejection)
            assert value is not None
            assert orjson.loads(value)["id"] in ids

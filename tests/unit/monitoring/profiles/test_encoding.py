"""A profile as bytes comes back as it was; bytes that are none, or damaged, are refused with the reason."""

import hashlib
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.profiles import (
    ForeignProfileError,
    OtherProfileVersionError,
    TableDefinition,
    TableProfile,
    TruncatedProfileError,
    UnreadableProfileError,
    from_bytes,
    profile_table,
    to_bytes,
)
from monitoring.profiles.encoding import MAGIC


def a_profile(rows: int = 3000) -> TableProfile:
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "x": random.normal(size=rows),
            "huge": np.array([1e200, -1e200] * (rows // 2)),
            "empty": pa.nulls(rows, pa.float64()),
            "c": random.integers(0, 2000, rows).astype(str),
            "at": pa.array(np.arange(rows), pa.timestamp("s", tz="UTC")),
        }
    )
    definition = TableDefinition.of_schema(table.schema, "at")
    reference = profile_table(table, definition)
    return profile_table(table, reference.definition_to_compare())


def test_a_profile_comes_back_as_it_was() -> None:
    profile = a_profile()
    read = from_bytes(to_bytes(profile))
    assert read.definition == profile.definition
    assert (read.rows, read.earliest, read.latest) == (profile.rows, profile.earliest, profile.latest)
    for name, column in profile.columns.items():
        again = read.columns[name]
        assert again.distinct.smallest.tolist() == column.distinct.smallest.tolist()
        exact = {key: value for key, value in vars(column).items() if key not in {"quantiles", "distinct", "buckets"}}
        assert {key: getattr(again, key) for key in exact} == exact
    assert read.columns["c"].buckets.tolist() == profile.columns["c"].buckets.tolist()
    assert read.columns["x"].quantiles.cumulative.tolist() == profile.columns["x"].quantiles.cumulative.tolist()


def test_what_was_read_can_be_merged() -> None:
    profile = from_bytes(to_bytes(a_profile()))
    assert profile.merge(profile).columns["x"].quantiles.count == 6000


def test_an_empty_profile_comes_back() -> None:
    profile = TableProfile.empty(a_profile(10).definition)
    assert from_bytes(to_bytes(profile)).rows == 0


@pytest.mark.parametrize("content", [b"", b"PAR1....", b"\x00" * 100, b"TMPROFI!" + b"x" * 50])
def test_bytes_that_never_were_a_profile_are_foreign(content: bytes) -> None:
    with pytest.raises(ForeignProfileError):
        from_bytes(content)


def test_a_profile_cut_off_anywhere_is_truncated() -> None:
    content = to_bytes(a_profile(100))
    for length in [1, 7, 8, 20, 49, 50, 51, len(content) // 2, len(content) - 1]:
        with pytest.raises(TruncatedProfileError):
            from_bytes(content[:length])


def test_a_profile_with_more_behind_it_is_refused() -> None:
    with pytest.raises(TruncatedProfileError):
        from_bytes(to_bytes(a_profile(100)) + b"!")


@given(st.integers(min_value=50), st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_one_damaged_byte_is_found(place: int, flip: int) -> None:
    content = bytearray(CONTENT)
    content[50 + place % (len(content) - 50)] ^= flip
    with pytest.raises(UnreadableProfileError):
        from_bytes(bytes(content))


CONTENT = to_bytes(a_profile(200))


def test_another_version_is_named() -> None:
    content = bytearray(CONTENT)
    struct.pack_into("<H", content, len(MAGIC), 9)
    with pytest.raises(OtherProfileVersionError, match="version 9; this reads version 1"):
        from_bytes(bytes(content))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"rows":200', b'"rows":-20', id="negative"),
        pytest.param(b'"kind":"numeric"', b'"kind":"strange"', id="kind"),
        pytest.param(b'"name":"empty"', b'"name":"huge" ', id="twice"),
        pytest.param(b'"distinct":200', b'"distinct":199', id="lengths"),
        pytest.param(b'"count":200', b'"count":199', id="count"),
        pytest.param(b'"time_column"', b'"time_colomn"', id="key"),
    ],
)
def test_a_whole_profile_that_contradicts_itself_is_refused(old: bytes, new: bytes) -> None:
    body = CONTENT[50:].replace(old, new, 1)
    assert body != CONTENT[50:]
    content = CONTENT[:18] + hashlib.sha256(body).digest() + body
    with pytest.raises(UnreadableProfileError, match="contradicts itself"):
        from_bytes(content)


def test_a_sketch_that_is_none_is_refused() -> None:
    body = bytearray(CONTENT[50:])
    (header,) = struct.unpack_from("<I", body)
    start = 4 + header + 8 * 200
    body[start : start + 64] = b"\xff" * 64
    content = CONTENT[:18] + hashlib.sha256(bytes(body)).digest() + bytes(body)
    with pytest.raises(UnreadableProfileError):
        from_bytes(content)

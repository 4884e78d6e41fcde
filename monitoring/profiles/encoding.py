"""Profiles as bytes, and back: what comes from outside is checked before it is believed.

A profile begins with ``MAGIC``, the version of the format, the length of what follows and its digest (SHA-256); then a
header in JSON, and the sketches one after the other. The digest finds damage; it does not tell who wrote the bytes.
"""

import hashlib
import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitoring.profiles.categorical import BUCKETS, CategoricalProfile
from monitoring.profiles.definition import ColumnDefinition, Kind, ProfileDefinitionError, TableDefinition
from monitoring.profiles.distinct import SIZE, Distinct
from monitoring.profiles.moments import Moments
from monitoring.profiles.numeric import NumericProfile
from monitoring.profiles.quantiles import Quantiles
from monitoring.profiles.table import ColumnProfile, TableProfile
from tidemill.config.errors import TerminalError

MAGIC = b"TMPROFIL"
VERSION = 1
_PREFIX = struct.Struct("<8sHQ32s")
_HEADER = struct.Struct("<I")

Count = Annotated[int, Field(ge=0)]


class UnreadableProfileError(TerminalError):
    """Bytes that are no profile this version can use; make the profile again from its table."""


class ForeignProfileError(UnreadableProfileError):
    """Bytes that never were a profile."""


class TruncatedProfileError(UnreadableProfileError):
    """A profile of which a part is missing or damaged."""


class OtherProfileVersionError(UnreadableProfileError):
    """A profile of another version of the format."""


class _ContradictionError(ValueError):
    """Found while reading; ``from_bytes`` tells of it."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class _Numeric(_Part):
    kind: Literal["numeric"] = "numeric"
    name: str
    low: float | None
    high: float | None
    rows: Count
    nulls: Count
    nans: Count
    infinities: Count
    below: Count
    above: Count
    count: Count
    mean: float
    squares: float
    quantiles: Count
    distinct: Annotated[int, Field(ge=0, le=SIZE)]


class _Categorical(_Part):
    kind: Literal["categorical"] = "categorical"
    name: str
    rows: Count
    nulls: Count
    counts: dict[str, Count]
    undercount: Count
    buckets: Annotated[list[Count], Field(min_length=BUCKETS, max_length=BUCKETS)]
    distinct: Annotated[int, Field(ge=0, le=SIZE)]


class _Header(_Part):
    """``quantiles`` of a column is a length in bytes, ``distinct`` a number of hashes of 8 bytes each."""

    rows: Count
    time_column: str | None
    earliest: datetime | None
    latest: datetime | None
    columns: list[Annotated[_Numeric | _Categorical, Field(discriminator="kind")]]


def to_bytes(profile: TableProfile) -> bytes:
    """What ``from_bytes`` reads."""
    parts: list[_Numeric | _Categorical] = []
    sketches: list[bytes] = []
    for definition in profile.definition.columns:
        part, content = _packed(definition.name, profile.columns[definition.name])
        parts.append(part)
        sketches.append(content)
    header = _Header(
        rows=profile.rows,
        time_column=profile.definition.time_column,
        earliest=profile.earliest,
        latest=profile.latest,
        columns=parts,
    )
    text = header.model_dump_json().encode()
    body = b"".join((_HEADER.pack(len(text)), text, *sketches))
    return _PREFIX.pack(MAGIC, VERSION, len(body), hashlib.sha256(body).digest()) + body


def from_bytes(content: bytes) -> TableProfile:
    """The profile that ``to_bytes`` packed.

    Raises:
        ForeignProfileError: it never was one.
        OtherProfileVersionError: it is of another version of the format.
        TruncatedProfileError: it is cut off or damaged.
        UnreadableProfileError: it is whole, and contradicts itself.
    """
    if not content or not content.startswith(MAGIC[: len(content)]):
        raise ForeignProfileError(f"no profile: it begins with {content[:8]!r}")
    if len(content) < _PREFIX.size:
        raise TruncatedProfileError(f"a profile of {len(content)} bytes is cut off")
    _, version, length, digest = _PREFIX.unpack_from(content)
    if version != VERSION:
        raise OtherProfileVersionError(
            f"a profile of version {version}; this reads version {VERSION}: make the profile again from its table"
        )
    body = content[_PREFIX.size :]
    if len(body) != length:
        raise TruncatedProfileError(f"a profile of {length} bytes has {len(body)}")
    if hashlib.sha256(body).digest() != digest:
        raise TruncatedProfileError(f"a profile of {length} bytes is damaged: they have another digest")
    try:
        return _unpacked(body)
    except (ValidationError, ProfileDefinitionError, struct.error, RuntimeError, ValueError, MemoryError) as error:
        raise UnreadableProfileError(f"a profile that contradicts itself: {error}") from error


def _packed(name: str, profile: ColumnProfile) -> tuple[_Numeric | _Categorical, bytes]:
    hashes = profile.distinct.smallest
    content = hashes.astype("<u8").tobytes()
    if isinstance(profile, CategoricalProfile):
        part = _Categorical(
            name=name,
            rows=profile.rows,
            nulls=profile.nulls,
            counts=dict(profile.counts),
            undercount=profile.undercount,
            buckets=profile.buckets.tolist(),
            distinct=len(hashes),
        )
        return part, content
    sketch = profile.quantiles.to_bytes()
    return _numeric(name, profile, len(sketch)), content + sketch


def _numeric(name: str, profile: NumericProfile, sketch_bytes: int) -> _Numeric:
    return _Numeric(
        name=name,
        low=profile.low,
        high=profile.high,
        rows=profile.rows,
        nulls=profile.nulls,
        nans=profile.nans,
        infinities=profile.infinities,
        below=profile.below,
        above=profile.above,
        count=profile.moments.count,
        mean=profile.moments.mean,
        squares=profile.moments.squares,
        quantiles=sketch_bytes,
        distinct=len(profile.distinct.smallest),
    )


def _unpacked(body: bytes) -> TableProfile:
    (length,) = _HEADER.unpack_from(body)
    header = _Header.model_validate_json(body[_HEADER.size : _HEADER.size + length])
    contents = _cut(body[_HEADER.size + length :], header)
    columns: dict[str, ColumnProfile] = {}
    definitions = []
    for part, (hashes, sketch) in zip(header.columns, contents, strict=True):
        distinct = Distinct(np.frombuffer(hashes, dtype="<u8").astype(np.uint64))
        if isinstance(part, _Numeric):
            columns[part.name] = _numeric_profile(part, distinct, sketch)
            definitions.append(ColumnDefinition(part.name, Kind.NUMERIC, part.low, part.high))
        else:
            buckets = np.array(part.buckets, dtype=np.int64)
            columns[part.name] = CategoricalProfile(
                part.rows, part.nulls, part.counts, part.undercount, distinct, buckets
            )
            definitions.append(ColumnDefinition(part.name, Kind.CATEGORICAL))
    definition = TableDefinition(tuple(definitions), header.time_column)
    return TableProfile(definition, columns, header.rows, header.earliest, header.latest)


def _cut(sketches: bytes, header: _Header) -> Iterator[tuple[bytes, bytes]]:
    """The hashes and the sketch of each column."""
    lengths = [(8 * part.distinct, part.quantiles if isinstance(part, _Numeric) else 0) for part in header.columns]
    if sum(map(sum, lengths)) != len(sketches):
        told = sum(map(sum, lengths))
        raise _ContradictionError(f"its header tells of {told} bytes, there are {len(sketches)}")
    start = 0
    for hashes, sketch in lengths:
        middle, end = start + hashes, start + hashes + sketch
        yield sketches[start:middle], sketches[middle:end]
        start = end


def _numeric_profile(part: _Numeric, distinct: Distinct, sketch: bytes) -> NumericProfile:
    quantiles = Quantiles.from_bytes(sketch)
    if quantiles.count != part.count:
        raise _ContradictionError(f"column {part.name} counts {part.count}, its sketch {quantiles.count}")
    return NumericProfile(
        part.low,
        part.high,
        part.rows,
        part.nulls,
        part.nans,
        part.infinities,
        part.below,
        part.above,
        Moments(part.count, part.mean, part.squares),
        quantiles,
        distinct,
    )

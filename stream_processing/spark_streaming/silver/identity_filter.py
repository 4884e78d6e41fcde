"""Which identities silver may have already: a Bloom filter of fixed size, so that a batch of news looks nothing up.

Source: Bloom, "Space/time trade-offs in hash coding with allowable errors", 1970; two hashes make all probes after
Kirsch and Mitzenmacher, "Less hashing, same performance", 2006. All probes of a hash lie in one slice, so that Spark
makes each slice by itself.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812

SLICES = 64
PROBES = 8
SEED = 42
BYTES_AN_EVENT = 4
SMALLEST = 2**16
HASH, SLICE = "_hash", "_slice"
Hashes = NDArray[np.int64]
Mask = NDArray[np.bool_]


def identity_hash() -> Column:
    """The hash of what identifies an event, in a frame with silver's columns."""
    return F.xxhash64("source", "event_id")


def fitting(events: int, most: int) -> int:
    """The bytes of a filter that ``events`` fit in twice, up to ``most``."""
    return min(most, max(SMALLEST, 1 << (2 * BYTES_AN_EVENT * events - 1).bit_length()))


def hashes_of(events: pa.Table) -> Hashes:
    """The same of Arrow's columns: Spark begins with seed 42, and goes on with the hash so far as the seed."""
    identities = zip(*(events[name].cast(pa.binary()).to_pylist() for name in ("source", "event_id")), strict=True)
    chained = (xxhash.xxh64_intdigest(one, xxhash.xxh64_intdigest(source, SEED)) for source, one in identities)
    return np.fromiter(chained, dtype=np.uint64, count=len(events)).view(np.int64)


@dataclass(frozen=True)
class IdentityFilter:
    """``slices`` has shape (SLICES, bytes of a slice) and dtype uint8."""

    slices: NDArray[np.uint8]

    @classmethod
    def empty(cls, size: int) -> Self:
        """Of ``size`` bytes."""
        return cls(np.zeros((SLICES, size // SLICES), dtype=np.uint8))

    @property
    def room(self) -> int:
        """The events that it is large enough for."""
        return self.slices.size // BYTES_AN_EVENT

    @classmethod
    def of(cls, events: DataFrame, size: int) -> Self:
        """The filter of all ``events``; the driver receives the filter alone."""
        made = cls.empty(size)
        size = made.slices.shape[1]

        def fill(hashes: pa.Table) -> pa.Table:
            own = np.zeros((1, size), dtype=np.uint8)
            numbers = hashes[HASH].to_numpy()
            _set(own, np.zeros((len(numbers), 1), dtype=np.int64), _probes(numbers, size))
            return pa.table({SLICE: pa.array(_slices(numbers[:1]), pa.int64()), "bits": [own.tobytes()]})

        hashed = events.select(identity_hash().alias(HASH))
        grouped = hashed.groupBy(F.pmod(HASH, F.lit(SLICES)).alias(SLICE))
        for row in grouped.applyInArrow(fill, f"{SLICE} BIGINT, bits BINARY").toLocalIterator():
            made.slices[row[SLICE]] = np.frombuffer(row["bits"], dtype=np.uint8)
        return made

    def might_contain(self, hashes: Hashes) -> Mask:
        """False where the hash was surely never added."""
        probes = _probes(hashes, self.slices.shape[1])
        bits = self.slices[_slices(hashes)[:, None], probes >> 3] >> (probes & 7).astype(np.uint8) & 1
        found: Mask = np.all(bits == 1, axis=1)
        return found

    def add(self, hashes: Hashes) -> None:
        _set(self.slices, _slices(hashes)[:, None], _probes(hashes, self.slices.shape[1]))


def _slices(hashes: Hashes) -> Hashes:
    return hashes % SLICES


def _probes(hashes: Hashes, size: int) -> Hashes:
    """The bits of each hash in its slice of ``size`` bytes, shape (hashes, PROBES)."""
    unsigned = hashes.view(np.uint64)
    first, step = (unsigned >> np.uint64(6)) & np.uint64(0xFFFFFFF), (unsigned >> np.uint64(34)) | np.uint64(1)
    probes = first[:, None] + np.arange(PROBES, dtype=np.uint64) * step[:, None]
    return (probes % np.uint64(size * 8)).astype(np.int64)


def _set(slices: NDArray[np.uint8], rows: Hashes, probes: Hashes) -> None:
    bits = np.left_shift(1, probes & 7).astype(np.uint8)
    np.bitwise_or.at(slices, (np.broadcast_to(rows, probes.shape), probes >> 3), bits)

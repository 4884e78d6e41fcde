"""What is known of each state beside it, and the sums of that by which a loss is noticed.

Entities are divided into buckets by a checksum of their id. The entries of a bucket are one hash in Redis.
"""

import hashlib
import struct
import zlib
from typing import NamedTuple, Self

from feature_store.tiles.state import NO_VERSION

BUCKETS = 256
ENTRY = struct.Struct("<qqq8s")


class Known(NamedTuple):
    """A state that was written in ``epoch`` and took in commit ``version`` last, and ``previous`` before that batch.

    ``digest`` is what :func:`digest_of` gives of what is stored.
    """

    epoch: int
    version: int
    previous: int = NO_VERSION
    digest: bytes = b""

    def dump(self) -> bytes:
        return ENTRY.pack(*self)

    @classmethod
    def load(cls, entry: bytes) -> Self | None:
        """None for bytes that are no such entry, or one of before there were digests: its state is made anew."""
        return cls(*ENTRY.unpack(entry)) if len(entry) == ENTRY.size else None

    def version_at(self, applied: int) -> int:
        """Which commit the state had taken in when all up to ``applied`` were; ``NO_VERSION`` when there was none."""
        return self.version if self.version <= applied else self.previous


def bucket_of(entity: str) -> int:
    """Spark's ``crc32(entity) % 256``."""
    return zlib.crc32(entity.encode()) % BUCKETS


def digest_of(value: bytes) -> bytes:
    """The first 64 bits of SHA-1, which Redis can compute: it tells damage, and protects from nobody."""
    return hashlib.sha1(value, usedforsecurity=False).digest()[:8]


def check_of(entity: str, epoch: int, version: int) -> int:
    """64 bits that a state of ``entity`` adds, by exclusive or, to the checksum of its bucket; 0 for none."""
    if version == NO_VERSION:
        return 0
    digest = hashlib.blake2b(b"%d %d %b" % (epoch, version, entity.encode()), digest_size=8)
    return int.from_bytes(digest.digest(), "little")

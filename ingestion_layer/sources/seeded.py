"""What every simulated world has in common: a seed, days, a name of its own, and numbers drawn in any order."""

import hashlib
import zlib
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import orjson

EPOCH = date(1970, 1, 1)


class Seeded:
    """For frozen dataclasses with these fields: a world whose days go from ``start`` up to but without ``end``."""

    seed: int
    start: date
    end: date

    @property
    def first_day(self) -> int:
        """The first day, as days since 1970-01-01."""
        return (self.start - EPOCH).days

    @property
    def last_day(self) -> int:
        """The first day that is no longer covered."""
        return (self.end - EPOCH).days

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits that differ between any two worlds of a kind."""
        return hashlib.sha256(orjson.dumps(self.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    def random(self, purpose: str, day: int = 0) -> np.random.Generator:
        """The numbers for one purpose on one day: the same in whatever order and size days are asked for."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode()), day])

    def to_dict(self) -> dict[str, Any]:
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]
        return values

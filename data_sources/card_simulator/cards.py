"""What makes one simulated set of cards: everything drawn depends on these values and on nothing else."""

import hashlib
import zlib
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import orjson

from config.errors import TerminalError
from data_sources.simulator.shop import EPOCH

PUBLISHED_CUSTOMERS = 5_000
PUBLISHED_TERMINALS = 10_000


class CardsError(TerminalError):
    """Values that make no set of cards; the message names the value and its bounds."""


@dataclass(frozen=True)
class Cards:
    """Customers who pay at terminals on the days from ``start`` up to but without ``end``.

    ``radius``: how far from home customers pay, on a square of 100 x 100. The defaults are a tenth of the published
    set: :data:`PUBLISHED_CUSTOMERS` and :data:`PUBLISHED_TERMINALS` make it whole.
    """

    seed: int = 1
    customers: int = PUBLISHED_CUSTOMERS // 10
    terminals: int = PUBLISHED_TERMINALS // 10
    radius: float = 5.0
    start: date = date(2018, 4, 1)
    end: date = date(2018, 10, 1)

    def __post_init__(self) -> None:
        bounds = {
            "seed": (self.seed, 0, 2**63),
            "customers": (self.customers, 1, 10_000_000),
            "terminals": (self.terminals, 1, 10_000_000),
            "radius": (self.radius, 0.01, 150),
            "days": ((self.end - self.start).days, 1, 36_525),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise CardsError(f"simulated cards cannot have {name} = {value}: it must be from {low} to {high}")
        if self.start < EPOCH:
            raise CardsError(f"simulated cards cannot start on {self.start}: not before {EPOCH}")

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
        """Twelve hex digits that differ between any two sets of cards."""
        return hashlib.sha256(orjson.dumps(self.to_dict(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]

    @property
    def source(self) -> str:
        """The CloudEvents source."""
        return f"urn:tidemill:cards:{self.fingerprint}"

    def random(self, purpose: str, day: int = 0) -> np.random.Generator:
        """The numbers for one purpose on one day: the same in whatever order days are asked for."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode()), day])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

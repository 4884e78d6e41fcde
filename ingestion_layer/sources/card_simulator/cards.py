"""What makes one simulated set of cards: everything drawn depends on these values and on nothing else."""

from dataclasses import dataclass
from datetime import date

from ingestion_layer.sources.seeded import EPOCH, Seeded
from tidemill.config.errors import TerminalError

PUBLISHED_CUSTOMERS = 5_000
PUBLISHED_TERMINALS = 10_000


class CardsError(TerminalError):
    """Values that make no set of cards; the message names the value and its bounds."""


@dataclass(frozen=True)
class Cards(Seeded):
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
    def source(self) -> str:
        """The CloudEvents source."""
        return f"urn:tidemill:cards:{self.fingerprint}"

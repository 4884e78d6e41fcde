"""What makes one simulated set of cards: everything drawn depends on these values and on nothing else."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from ingestion_layer.sources.seeded import EPOCH, Seeded
from tidemill.config.errors import TerminalError

PUBLISHED_CUSTOMERS = 5_000
PUBLISHED_TERMINALS = 10_000


class CardsError(TerminalError):
    """Values that make no set of cards; the message names the value and its bounds."""


@dataclass(frozen=True)
class Drift:
    """From the day ``start`` on every payment is ``amount`` times what it would be, a fraud's as well.

    What gave a fraud away before, a large amount, may be an everyday one then.
    """

    start: date
    amount: float = 1.5

    def __post_init__(self) -> None:
        if not 0.01 <= self.amount <= 100:
            raise CardsError(f"a drift cannot have amount = {self.amount}: it must be from 0.01 to 100")


@dataclass(frozen=True)
class Cards(Seeded):
    """Customers who pay at terminals on the days from ``start`` up to but without ``end``.

    ``radius``: how far from home customers pay, on a square of 100 x 100. ``verdict_days``: how long after a payment it
    is known whether it was fraud. ``located``: payments say where their terminal stands. The defaults are a tenth of
    the published set: :data:`PUBLISHED_CUSTOMERS` and :data:`PUBLISHED_TERMINALS` make it whole.
    """

    seed: int = 1
    customers: int = PUBLISHED_CUSTOMERS // 10
    terminals: int = PUBLISHED_TERMINALS // 10
    radius: float = 5.0
    start: date = date(2018, 4, 1)
    end: date = date(2018, 10, 1)
    verdict_days: int = 7
    drift: Drift | None = None
    located: bool = False

    def __post_init__(self) -> None:
        bounds = {
            "seed": (self.seed, 0, 2**63),
            "customers": (self.customers, 1, 10_000_000),
            "terminals": (self.terminals, 1, 10_000_000),
            "radius": (self.radius, 0.01, 150),
            "days": ((self.end - self.start).days, 1, 36_525),
            "verdict_days": (self.verdict_days, 1, 90),
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

    def to_dict(self) -> dict[str, Any]:
        """Without what stands at the handbook's: those cards are the ones that they were before they could differ."""
        values = super().to_dict()
        if self.verdict_days == Cards.verdict_days:
            del values["verdict_days"]
        if self.drift is None:
            del values["drift"]
        if not self.located:
            del values["located"]
        return values

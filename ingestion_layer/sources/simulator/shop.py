"""What makes one simulated shop: everything drawn depends on these values and on nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

from ingestion_layer.sources.seeded import EPOCH, Seeded
from tidemill.config.errors import TerminalError


class ShopError(TerminalError):
    """Values that make no shop; the message names the value and its bounds."""


@dataclass(frozen=True)
class Drift:
    """What changes for good on the day ``start``: prices and purchase rates by a factor, tastes by a share (0 to 1)."""

    start: date
    price: float = 1.25
    rate: float = 0.7
    taste: float = 0.5

    def __post_init__(self) -> None:
        bounds = {"price": (self.price, 0.01, 100), "rate": (self.rate, 0, 100), "taste": (self.taste, 0, 1)}
        _require(bounds, "a drift")

    @classmethod
    def parse(cls, start: date, text: str) -> Self:
        """A drift from ``start``; ``text`` is ``name=factor,...`` for what differs from the defaults."""
        factors = {}
        for part in filter(None, text.split(",")):
            name, _, factor = part.partition("=")
            if name not in ("price", "rate", "taste"):
                raise ShopError(f"unknown drift {name!r} in {text!r}; known: price, rate, taste")
            try:
                factors[name] = float(factor)
            except ValueError:
                raise ShopError(f"{name} in {text!r}: {factor!r} is not a number") from None
        return cls(start, **factors)


GROUPS: Mapping[str, tuple[str, ...]] = {
    "age_band": ("18-24", "25-34", "35-49", "50-64", "65+"),
    "region": ("north", "east", "south", "west"),
    "sign_up_channel": ("web", "app", "store", "referral"),
}
"""What a profile says of a customer, and what it may say."""


@dataclass(frozen=True)
class Bias:
    """The customers of one group come ``rate`` times as often as they would: a model sees less of them."""

    column: str
    group: str
    rate: float = 0.4

    def __post_init__(self) -> None:
        if self.column not in GROUPS:
            raise ShopError(f"no bias by {self.column!r}; known: {', '.join(GROUPS)}")
        if self.group not in GROUPS[self.column]:
            raise ShopError(f"no {self.column} {self.group!r} to be biased; known: {', '.join(GROUPS[self.column])}")
        _require({"rate": (self.rate, 0.01, 100)}, "a bias")

    @classmethod
    def parse(cls, text: str) -> Self:
        """``column=group``, or ``column=group,rate=factor``."""
        group, _, rate = text.partition(",rate=")
        column, _, name = group.partition("=")
        try:
            return cls(column, name, float(rate)) if rate else cls(column, name)
        except ValueError:
            raise ShopError(f"rate in {text!r}: {rate!r} is not a number") from None


@dataclass(frozen=True)
class Shop(Seeded):
    """A shop whose history covers the days from ``start`` up to but without ``end``.

    ``browsing``: sessions that only look, per session that buys. ``guests``: orders of guests, per order of a customer.
    """

    seed: int
    customers: int
    start: date
    end: date
    products: int = 400
    browsing: float = 1.0
    guests: float = 0.25
    drift: Drift | None = None
    bias: Bias | None = None

    def __post_init__(self) -> None:
        bounds = {
            "seed": (self.seed, 0, 2**63),
            "customers": (self.customers, 1, 100_000_000),
            "days": ((self.end - self.start).days, 1, 36_525),
            "products": (self.products, 8, 1_000_000),
            "browsing": (self.browsing, 0, 100),
            "guests": (self.guests, 0, 100),
        }
        _require(bounds, "a simulated shop")
        if self.start < EPOCH:
            raise ShopError(f"a simulated shop cannot start on {self.start}: not before {EPOCH}")

    @property
    def source(self) -> str:
        """The CloudEvents source."""
        return f"urn:tidemill:simulator:{self.fingerprint}"

    def to_dict(self) -> dict[str, Any]:
        values = super().to_dict()
        if self.bias is None:
            del values["bias"]  # a shop without one is the shop that it was before there were any
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        days = {name: date.fromisoformat(values[name]) for name in ("start", "end")}
        drift = values["drift"]
        read = drift and Drift(**{**drift, "start": date.fromisoformat(drift["start"])})
        bias = values.get("bias")
        return cls(**{**values, **days, "drift": read, "bias": bias and Bias(**bias)})


def day_of(number: int) -> date:
    return EPOCH + timedelta(days=number)


def midnight(number: int) -> datetime:
    """The beginning of a day in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)


def _require(bounds: Mapping[str, tuple[float, float, float]], owner: str) -> None:
    for name, (value, low, high) in bounds.items():
        if not low <= value <= high:
            raise ShopError(f"{owner} cannot have {name} = {value}: it must be from {low} to {high}")

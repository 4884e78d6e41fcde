"""Which messages go wrong, and how: drawn apart from the shop, so that the same shop can be sent with any faults."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from ingestion_layer.sources.simulator.columns import Floats, Ints
from ingestion_layer.sources.simulator.shop import Shop
from tidemill.config.errors import TerminalError
from tidemill.contracts.checker import Reason

LATE_DAYS = 3
US_PER_HOUR = 3_600_000_000

NONE, DUPLICATE, LATE = 0, 1, 2
KINDS = ("none", "duplicate", "late", "malformed", "bare", "unknown_type", "violation", "wrong_time", "too_precise")
REASONS: Mapping[str, Reason] = {
    "malformed": Reason.NOT_JSON,
    "bare": Reason.NOT_CLOUDEVENT,
    "unknown_type": Reason.UNKNOWN_TYPE,
    "violation": Reason.SCHEMA,
    "wrong_time": Reason.TIME_OUT_OF_RANGE,
    "too_precise": Reason.UNREPRESENTABLE,
}
"""What each planted bad message is quarantined for."""


class FaultsError(TerminalError):
    """Rates that cannot be used; the message names the value and what is known."""


@dataclass(frozen=True)
class Faults:
    """How many messages of each fault there are for one message of the shop.

    ``duplicate``: sent a second time, the same bytes. ``late``: delivered one hour to three days after its event time.
    The others are further messages that must end in quarantine: ``malformed`` (not JSON), ``bare`` (no envelope),
    ``unknown_type`` (a type without contract), ``violation`` (breaks the contract), ``wrong_time`` (a time the lake
    refuses), ``too_precise`` (a price with more decimals than money has; transactions only).
    """

    duplicate: float = 0.0
    late: float = 0.0
    malformed: float = 0.0
    bare: float = 0.0
    unknown_type: float = 0.0
    violation: float = 0.0
    wrong_time: float = 0.0
    too_precise: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate <= 0.5:
                raise FaultsError(f"the rate of {field.name} is {rate}: it must be from 0 to 0.5")

    @classmethod
    def parse(cls, text: str) -> Self:
        """``none``, ``default``, or ``kind=rate,...`` with the kinds above."""
        if text in NAMED:
            return cls(**NAMED[text])
        known = [field.name for field in fields(cls)]
        rates = {}
        for part in text.split(","):
            kind, _, rate = part.partition("=")
            if kind not in known:
                raise FaultsError(f"unknown fault {kind!r} in {text!r}; known: none, default, {', '.join(known)}")
            try:
                rates[kind] = float(rate)
            except ValueError:
                raise FaultsError(f"{kind} in {text!r}: {rate!r} is not a number") from None
        return cls(**rates)


NAMED: Mapping[str, Mapping[str, float]] = {
    "none": {},
    "default": {
        "duplicate": 0.01,
        "late": 0.02,
        "malformed": 0.002,
        "bare": 0.0005,
        "unknown_type": 0.001,
        "violation": 0.003,
        "wrong_time": 0.0005,
        "too_precise": 0.0005,
    },
}


@dataclass(frozen=True)
class Plan:
    """The faults of one topic's rows of one day.

    For each row: ``delay`` of its delivery in microseconds (0: none), and ``again``, how far through the rest of the
    day it is sent a second time (0: not). For each bad message: its ``kind`` (an index of :data:`KINDS`), the ``row``
    it is made from, and ``at``, how far through the day it is sent.
    """

    delay: Ints
    again: Floats
    kind: Ints
    row: Ints
    at: Floats


def plan(shop: Shop, faults: Faults, topic: str, day: int, rows: int) -> Plan:
    """The faults for ``rows`` rows; the same for the same arguments."""
    random = shop.random(f"faults of {topic}", day)
    is_late = random.random(rows) < faults.late
    delay = random.integers(US_PER_HOUR, LATE_DAYS * 24 * US_PER_HOUR, rows)
    is_duplicate = random.random(rows) < faults.duplicate
    again = random.uniform(0.001, 1, rows)
    kinds = [kind for kind in REASONS if kind != "too_precise" or topic == "shop.transaction.v1"]
    counts = [int(random.poisson(getattr(faults, kind) * rows)) if rows else 0 for kind in kinds]
    kind = np.repeat([KINDS.index(name) for name in kinds], counts)
    return Plan(
        delay=np.where(is_late, delay, 0),
        again=np.where(is_duplicate, again, 0.0),
        kind=kind,
        row=random.integers(0, max(rows, 1), len(kind)),
        at=random.random(len(kind)),
    )

"""How much the loop sends and asks, and when behaviour changes."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from ingestion_layer.sources.card_simulator.cards import Cards, Drift
from tidemill.config.settings import Settings
from tidemill.demo.plan import SEED

CUSTOMERS = 600
VERDICT_DAYS = 2
AMOUNT = 1.5
HISTORY_DAYS = 60
QUIET_DAYS = 45
LIVE_DAYS = 400
"""More than the longest loop lasts: who is not done by then has failed."""


@dataclass(frozen=True)
class LoopPlan:
    """``day_s``: how long a day of payments lasts, in seconds. ``asked_per_s``: payments that the model is asked about.

    The days of the history are sent at once, then come quiet ones, then those on which payments are other ones.
    """

    settings: Settings
    cards: Cards
    day_s: float = 6.0
    asked_per_s: float = 30.0

    @property
    def logs(self) -> Path:
        return self.settings.home / "logs" / "demo-loop"

    @property
    def planted(self) -> int:
        """How many days have been sent when behaviour changes."""
        return HISTORY_DAYS + QUIET_DAYS


def make_plan(settings: Settings, today: date) -> LoopPlan:
    """The plan of a loop whose last possible day is before ``today``: the lake takes no events of the future."""
    start = today - timedelta(days=HISTORY_DAYS + QUIET_DAYS + LIVE_DAYS)
    drift = Drift(start + timedelta(days=HISTORY_DAYS + QUIET_DAYS), AMOUNT)
    cards = Cards(
        seed=SEED,
        customers=CUSTOMERS,
        terminals=2 * CUSTOMERS,
        start=start,
        end=today,
        verdict_days=VERDICT_DAYS,
        drift=drift,
    )
    return LoopPlan(settings, cards)

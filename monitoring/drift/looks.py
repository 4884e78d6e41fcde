"""A monitor looks again and again: 28 looks a week at 5 % each would raise an alarm in most weeks without drift.

The budget ``alpha`` is for a ``period``, and a look may spend of it what the time since the look before is worth: the
linear spending function of Lan and DeMets, "Discrete sequential boundaries for clinical trials", 1983. A pause saves up
no more than a ``cadence``. So the looks of a period spend at most ``alpha`` together, and by Boole's inequality that
bounds the probability of any false alarm in *any* period, whatever the looks have to do with each other: windows may
overlap, all looks share one reference, and somebody may look every minute. That costs power, not truth.

Group-sequential boundaries and e-processes spend less for the same promise, when increments are independent given the
past. Here they are not: a reference that came out a little off by chance is off at every look.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tidemill.config.errors import TerminalError


class EarlierLookError(TerminalError):
    """A look that is not after the last one of its reference."""


class BudgetError(TerminalError):
    """A budget that bounds nothing."""


@dataclass(frozen=True)
class Budget:
    """The probability ``alpha`` of any false alarm in a ``period``, for a monitor that looks every ``cadence``."""

    alpha: float = 0.05
    period: timedelta = timedelta(days=7)
    cadence: timedelta = timedelta(hours=6)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise BudgetError(f"alpha is a probability between 0 and 1, not {self.alpha}")
        if self.cadence <= timedelta(0) or self.period < self.cadence:
            raise BudgetError(f"a look every {self.cadence} is not within a period of {self.period}")


@dataclass(frozen=True)
class Looks:
    """What is kept between looks at one reference: when the last was, and since when each drift is found.

    The caller stores it with what the look has found: who repeats a look from the same state decides the same.
    """

    last: datetime | None = None
    since: Mapping[str, datetime] = field(default_factory=dict)

    def after(self, now: datetime, drifted: Collection[str]) -> "Looks":
        """The state after a look at ``now`` that found ``drifted`` (the keys of findings)."""
        return Looks(now, {key: self.since.get(key, now) for key in sorted(drifted)})


def spend(budget: Budget, looks: Looks, now: datetime) -> float:
    """The ``alpha`` of a look at ``now``: in any period, looks spend at most the budget's.

    Raises:
        EarlierLookError: there was a look at ``now`` or later.
    """
    if looks.last is not None and now <= looks.last:
        raise EarlierLookError(
            f"a look at {now}, and one at {looks.last} is on record; repeat it from the state before"
        )
    passed = budget.cadence if looks.last is None else min(now - looks.last, budget.cadence)
    # A period may begin just before a look that spends for the cadence before it.
    return budget.alpha * (passed / (budget.period + budget.cadence))

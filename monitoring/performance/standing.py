"""What is asked and answered: the loss at training, how sure one wants to be, and how the model stands."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tidemill.config.errors import TerminalError


class LossReferenceError(TerminalError):
    """A loss at training, or a rule, against which nothing can be judged."""


class Standing(StrEnum):
    FINE = "fine"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Reference:
    """The mean loss on the test part, between 0 and 1, and its interval."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high < 1 or self.high <= 0:
            raise LossReferenceError(
                f"a mean loss of {self.value} in [{self.low}, {self.high}] is none between 0 and 1 in its interval"
            )


@dataclass(frozen=True)
class Rule:
    """``alpha`` bounds the probability that a model that is not worse is ever called so.

    ``smallest`` is the rise of the mean loss above the interval that should not be missed: before as many losses as
    find it, nobody calls a model fine. None: as much as the interval reaches above its value, at least 0.01.
    """

    alpha: float = 0.05
    smallest: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise LossReferenceError(f"alpha is a probability between 0 and 1, not {self.alpha}")
        if self.smallest is not None and not 0 < self.smallest < 1:
            raise LossReferenceError(f"the smallest rise of a loss lies between 0 and 1, not at {self.smallest}")


@dataclass(frozen=True)
class Verdict:
    """How the model stands after ``losses`` of them, ``enough`` being those it takes to say fine.

    Of a worse one: it was found at ``found_at``, ``since`` is when it most likely began, ``mean`` is the mean loss from
    then on, and ``excess`` how far that lies above the reference's interval. ``evidence`` is the largest e-value there
    was: 1 / alpha makes a model worse, and stays.
    """

    standing: Standing
    losses: int
    enough: int
    mean: float | None
    evidence: float
    found_at: datetime | None = None
    since: datetime | None = None
    excess: float | None = None

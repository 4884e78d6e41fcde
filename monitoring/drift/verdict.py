"""What is said of a feature: first what was measured, then whether it is drift."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Aspect(StrEnum):
    """What of a feature, or of the table, was looked at."""

    DISTRIBUTION = "distribution"
    MISSING = "missing"
    RANGE = "range"
    UNSEEN = "unseen"
    TOGETHER = "together"
    VOLUME = "volume"
    FRESHNESS = "freshness"


class Outcome(StrEnum):
    STEADY = "steady"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Statistic:
    """``limit`` is what it must reach to matter; ``shift`` says how much it is, in the unit of ``EffectLimits``."""

    name: str
    value: float
    limit: float
    shift: float

    @property
    def matters(self) -> bool:
        return self.value >= self.limit


@dataclass(frozen=True)
class Finding:
    """What was measured. ``feature`` is None for the table as a whole.

    Without ``p_value`` the limits are rules that somebody declared. ``unknown`` says why nothing could be measured.
    """

    feature: str | None
    aspect: Aspect
    statistics: tuple[Statistic, ...] = ()
    p_value: float | None = None
    unknown: str | None = None

    @property
    def matters(self) -> bool:
        """Whether any statistic reaches its limit."""
        return any(statistic.matters for statistic in self.statistics)

    @property
    def shift(self) -> float:
        """The largest effect of all statistics."""
        return max((statistic.shift for statistic in self.statistics), default=0.0)

    @property
    def key(self) -> str:
        return f"{self.feature or ''}/{self.aspect}"


@dataclass(frozen=True)
class Verdict:
    """A finding with the decision on it.

    ``adjusted_p_value`` is that of Benjamini and Hochberg over all findings of the look, to be compared with ``alpha``.
    ``since`` is the first of the looks that have found this drift without a break. ``importance`` is the share that the
    feature has in the model's, None when nobody said.
    """

    finding: Finding
    outcome: Outcome
    alpha: float
    adjusted_p_value: float | None = None
    since: datetime | None = None
    importance: float | None = None


def importance_shares(importance: Mapping[str, float]) -> dict[str, float]:
    """Each importance by the sum of all; none for no importance at all."""
    total = sum(abs(value) for value in importance.values())
    return {name: abs(value) / total for name, value in importance.items()} if total else {}

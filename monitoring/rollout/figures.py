"""The figures by which a rollout is judged: what each arm did in a step, counted from the log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from monitoring.rollout.contest import Contest


@dataclass(frozen=True)
class ChallengerFigures:
    """``failed`` of the requests that were its own it did not answer; ``answers`` it did.

    Of ``timed`` answers ``slow`` took longer than ``slow_ms``; ``p95_ms`` is their 95th percentile, about.
    """

    answers: int = 0
    failed: int = 0
    timed: int = 0
    slow: int = 0
    slow_ms: float | None = None
    p95_ms: float | None = None

    @property
    def asked(self) -> int:
        return self.answers + self.failed


@dataclass(frozen=True)
class Spread:
    """Answers in each cell of the scores, as they were expected and as they came: of one model.

    ``independent`` is how many answers about as many entities tell at least as much as those that came; None: all do.
    """

    expected: Sequence[float] = ()
    counted: Sequence[int] = ()
    independent: float | None = None


@dataclass(frozen=True)
class Figures:
    """What a step has shown so far.

    ``champion_answers`` and ``champion_p95_ms`` are of the same step where the champion answers in it, and of the whole
    rollout where it does not. ``scores`` are the challenger's, ``champion_scores`` the champion's in the same step.
    ``contest`` has the outcomes that came true, None where no table has them.
    """

    challenger: ChallengerFigures = ChallengerFigures()
    champion_answers: int = 0
    champion_p95_ms: float | None = None
    scores: Spread = Spread()
    champion_scores: Spread = Spread()
    contest: Contest | None = None

    @property
    def document(self) -> dict[str, Any]:
        """All of it, as evidence."""
        return asdict(self)

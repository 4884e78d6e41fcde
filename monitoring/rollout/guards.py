"""What takes a challenger back: each guard looks at the figures and says why, or nothing.

A guard speaks when its limit lies below what the figures rule out, not when a figure lies above its limit: one failure
of three is a third, and tells next to nothing. Errors, latency and the live metric keep their ``alpha`` however often
they are looked at; the scores' distribution has a limit on its size, which chance does not reach, besides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from ml_modeling.specification import Guards
from monitoring.drift.cells import Cells, homogeneity_p_value, psi
from monitoring.rollout.bounds import lower_bound
from monitoring.rollout.figures import Figures, Spread

BEYOND_P95 = 0.05
"""The share of answers above their 95th percentile."""
CHAMPIONS_P95 = 1.25
"""A challenger may take so many times as long as the champion, over the budget too: a slow server is not its fault."""
LEAST_SCORES = 100
"""As few, on either side, make no distribution; answers about one entity hang together, and count as fewer."""


@dataclass(frozen=True)
class Breach:
    """``sentence`` says what is wrong with the challenger, ``figures`` by what that is known."""

    guard: str
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


def breaches(guards: Guards, figures: Figures) -> tuple[Breach, ...]:
    """Of all guards that are on."""
    return (*errors(guards, figures), *latency(guards, figures), *scores(guards, figures), *live(guards, figures))


def errors(guards: Guards, figures: Figures) -> Iterator[Breach]:
    """More of the challenger's requests failed than may: another answered them, and the log says whose they were."""
    of_it, limit = figures.challenger, guards.error_rate
    if limit is None or not of_it.asked:
        return
    least = lower_bound(of_it.failed, of_it.asked, guards.alpha)
    if least > limit:
        rate = of_it.failed / of_it.asked
        yield Breach(
            "error_rate",
            f"the challenger failed at {of_it.failed:,} of its {of_it.asked:,} requests ({rate:.1%}, at least "
            f"{least:.1%}), {limit:.1%} are allowed",
            {"failed": of_it.failed, "asked": of_it.asked, "rate": rate, "at_least": least, "limit": limit},
        )


def slow_limit(guards: Guards, champion_p95_ms: float | None) -> float | None:
    """Milliseconds above which an answer of the challenger is slow: over the budget, and over the champion's own."""
    if guards.p95_ms is None:
        return None
    return guards.p95_ms if champion_p95_ms is None else max(guards.p95_ms, CHAMPIONS_P95 * champion_p95_ms)


def latency(guards: Guards, figures: Figures) -> Iterator[Breach]:
    """More than one in twenty of the challenger's answers is slow: its 95th percentile lies over the limit."""
    of_it = figures.challenger
    if guards.p95_ms is None or of_it.slow_ms is None or not of_it.timed:
        return
    least = lower_bound(of_it.slow, of_it.timed, guards.alpha)
    if least > BEYOND_P95:
        beside = "" if figures.champion_p95_ms is None else f"; the champion's 95th percentile: {_ms(figures)}"
        p95 = 0.0 if of_it.p95_ms is None else of_it.p95_ms
        yield Breach(
            "latency",
            f"{of_it.slow:,} of the challenger's {of_it.timed:,} answers (at least {least:.1%}) took more than "
            f"{of_it.slow_ms:.1f} ms, 5 % may; its 95th percentile: {p95:.1f} ms{beside}",
            {"slow": of_it.slow, "timed": of_it.timed, "at_least": least, "limit_ms": of_it.slow_ms, "p95_ms": p95},
        )


def _ms(figures: Figures) -> str:
    return f"{figures.champion_p95_ms or 0.0:.1f} ms"


def scores(guards: Guards, figures: Figures) -> Iterator[Breach]:
    """The challenger says other things than it said in its replay, and the champion does not: not what is asked moved.

    Where the champion answers nobody, there is nothing to tell the two apart by, and the challenger is taken back.
    """
    if guards.score_shift is None:
        return
    limit = guards.score_shift**2
    found = _apart(figures.scores)
    if found is None or found[0] <= limit or found[1] >= guards.alpha:
        return
    champions = _apart(figures.champion_scores)
    if champions is not None and champions[0] > limit:
        return
    index, p_value = found
    beside = "" if champions is None else f", the champion's own by {champions[0]:.3f}"
    count = sum(figures.scores.counted)
    yield Breach(
        "score_distribution",
        f"{count:,} scores of the challenger are apart from those of its replay by a PSI of {index:.3f}{beside}; "
        f"{limit:.3f} is allowed",
        {"psi": index, "p_value": p_value, "scores": count, "limit": limit},
    )


def _apart(spread: Spread) -> tuple[float, float] | None:
    """The PSI and the p-value; None where there are too few scores to tell, or of too few entities."""
    came = sum(spread.counted)
    independent = came if spread.independent is None else spread.independent
    if len(spread.expected) < 2 or min(sum(spread.expected), independent) < LEAST_SCORES:
        return None
    counted = np.asarray(spread.counted, dtype=np.float64) * (independent / came)
    cells = Cells(np.asarray(spread.expected, dtype=np.float64), counted)
    return psi(cells), homogeneity_p_value(cells)


def live(guards: Guards, figures: Figures) -> Iterator[Breach]:
    """The challenger's losses, as outcomes came true, are larger than the champion's."""
    found = figures.contest
    if not guards.live_metric or found is None or not found.is_worse(guards.alpha):
        return
    yield Breach(
        "live_metric",
        f"by {found.challenger:,} outcomes of the challenger and {found.champion:,} of the champion its mean loss is "
        f"larger, by {found.difference:.4f} over {found.pairs:,} pairs",
        {
            "challenger": found.challenger,
            "champion": found.champion,
            "pairs": found.pairs,
            "difference": found.difference,
            "log_e_value": found.worse,
        },
    )

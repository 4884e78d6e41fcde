"""The figures of the step that a rollout is in, from the log and the outcomes."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta

from monitoring.performance.outcome_losses import LARGEST
from monitoring.rollout import scores
from monitoring.rollout.contest import Contest
from monitoring.rollout.figures import Figures
from monitoring.rollout.guards import slow_limit
from monitoring.rollout.log import CHALLENGER, CHAMPION, StepLog, Window, step_log
from monitoring.rollout.outcomes import outcomes
from monitoring.rollout.running import Running
from monitoring.rollout.work import Work

MEAN_ERROR = "champion_mean_error"
"""In the evidence that a rollout begins with: the champion's at training, of a question that wants a number."""
LABEL_DELAY = "label_delay_days"
"""In the same evidence: within how many days nearly all labels come."""


def measure(work: Work, rollout: Running) -> Figures:
    """What the step has shown so far; nothing where nothing was logged yet."""
    champion = rollout.now.traffic.champion
    since = _since(rollout.began.at, work.place.store.now(), work.spec.longest)
    step = Window(work.place.name, rollout.step_epochs, since, champion, rollout.challenger)
    whole = replace(step, epochs=rollout.epochs)
    contest = _contest(work, rollout, whole)
    with ExitStack() as opened:
        log = opened.enter_context(step_log(work.place.settings, step))
        of_all = opened.enter_context(step_log(work.place.settings, whole))
        if log is None or of_all is None:
            return Figures(contest=contest)
        answers, p95 = log.champion()
        if p95 is None:
            answers, p95 = of_all.champion()
        return replace(_of_step(work, log, rollout, p95), champion_answers=answers, contest=contest)


def _since(began_at: datetime, now: datetime, longest: timedelta) -> datetime:
    """No later than the rollout's first answer: a begin that lies ahead is of a clock that was wrong then."""
    return began_at if began_at <= now else now - longest


def _contest(work: Work, rollout: Running, window: Window) -> Contest | None:
    error, delay = (rollout.began.evidence.get(key) for key in (MEAN_ERROR, LABEL_DELAY))
    if not isinstance(delay, int | float):
        return None
    largest = LARGEST * error if isinstance(error, int | float) else None
    return outcomes(work.place.settings, work.use_case, window, timedelta(days=delay), largest)


def _of_step(work: Work, log: StepLog, rollout: Running, champion_p95_ms: float | None) -> Figures:
    evidence = rollout.began.evidence
    return Figures(
        challenger=log.challenger(slow_limit(work.spec.guards, champion_p95_ms)),
        champion_p95_ms=champion_p95_ms,
        scores=log.spread(CHALLENGER, scores.read(evidence, "challenger_scores")),
        champion_scores=log.spread(CHAMPION, scores.read(evidence, "champion_scores")),
    )

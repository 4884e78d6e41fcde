"""What to do next with a rollout: from where it is, what it has shown, and the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ml_modeling.specification import Rollout as RolloutSpec
from monitoring.control import Approval, Policy, Traffic
from monitoring.rollout.figures import Figures
from monitoring.rollout.guards import Breach, breaches
from monitoring.rollout.plan import Plan


class Action(StrEnum):
    WAIT = "wait"
    STEP = "step"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"


@dataclass(frozen=True)
class Standing:
    """Where a rollout is: its traffic, since when it has this share and since when it runs at all, and who approved."""

    plan: Plan
    traffic: Traffic
    step_since: datetime
    began_at: datetime
    approvals: Sequence[Approval] = ()


@dataclass(frozen=True)
class Decision:
    """``traffic`` is what comes next where ``action`` is a step; ``breaches`` are why a challenger goes back."""

    action: Action
    why: str
    traffic: Traffic | None = None
    breaches: tuple[Breach, ...] = ()


def decide(spec: RolloutSpec, standing: Standing, figures: Figures, now: datetime) -> Decision:
    """``now`` is of the clock that the times of ``standing`` are of.

    A clock that jumps lets a step end earlier or later, never without its answers; so a time counts on either side.
    """
    broken = breaches(spec.guards, figures)
    if broken:
        return Decision(Action.ROLL_BACK, "; ".join(breach.sentence for breach in broken), breaches=broken)
    match standing.plan.policy:
        case Policy.DIRECT:
            return Decision(Action.PROMOTE, "the policy is direct: it becomes the champion at once")
        case Policy.MANUAL:
            decision = _approved(standing)
        case Policy.AB:
            decision = _by_test(spec, figures)
        case Policy.SHADOW if _is_silent(spec, standing, figures, now):
            decision = _silent(figures)
        case _:
            decision = _by_steps(spec, standing, figures, now)
    is_late = abs(now - standing.began_at) > spec.longest
    if decision.action is Action.WAIT and is_late:
        why = f"the rollout is not over after {spec.most_days:g} days: {decision.why}"
        return Decision(Action.ROLL_BACK, why, breaches=(Breach("most_days", why, {"days": spec.most_days}),))
    return decision


def _approved(standing: Standing) -> Decision:
    if not standing.approvals:
        return Decision(Action.WAIT, "it waits for a person's approval")
    first = standing.approvals[0]
    return Decision(Action.PROMOTE, f"{first.actor} approved it: {first.reason}")


def _by_test(spec: RolloutSpec, figures: Figures) -> Decision:
    found = figures.contest
    if found is None:
        return Decision(Action.WAIT, "no outcomes are known: gold/prediction_outcomes has none of this rollout")
    told = (
        f"by {found.challenger:,} outcomes of the challenger and {found.champion:,} of the champion, the difference of "
        f"the mean losses is {found.difference:+.4f} over {found.pairs:,} pairs"
    )
    if found.is_better(spec.alpha):
        return Decision(Action.PROMOTE, f"the challenger is better: {told}")
    if found.is_worse(spec.alpha):
        breach = Breach("ab_test", f"the challenger is worse: {told}", {"log_e_value": found.worse})
        return Decision(Action.ROLL_BACK, breach.sentence, breaches=(breach,))
    return Decision(Action.WAIT, f"the test is not decided: {told}")


def _by_steps(spec: RolloutSpec, standing: Standing, figures: Figures, now: datetime) -> Decision:
    passed, answers = abs(now - standing.step_since), figures.challenger.answers
    shown = f"{answers:,} answers of the challenger in {_minutes(passed)} minutes"
    if passed < spec.step_time or answers < spec.min_answers:
        asked = f"{spec.min_answers:,} answers and {spec.step_minutes:g} minutes are asked for"
        return Decision(Action.WAIT, f"{shown}, {asked}")
    following = standing.plan.after(standing.traffic)
    if following is None:
        return Decision(Action.PROMOTE, f"the last step is passed: {shown}")
    return Decision(Action.STEP, f"the step of {standing.traffic.share} % is passed: {shown}", following)


def _is_silent(spec: RolloutSpec, standing: Standing, figures: Figures, now: datetime) -> bool:
    """Whether a shadow that every server could load would have been asked by now, and none was.

    It follows each of the champion's answers, so as many of them as a step asks of it are enough to tell.
    """
    is_time = abs(now - standing.step_since) >= spec.step_time
    return is_time and figures.champion_answers >= spec.min_answers and not figures.challenger.asked


def _silent(figures: Figures) -> Decision:
    why = (
        f"the shadow scored none of the champion's {figures.champion_answers:,} answers: no server has loaded it, and "
        "/readyz of a server says why"
    )
    breach = Breach("silent_shadow", why, {"champion_answers": figures.champion_answers})
    return Decision(Action.ROLL_BACK, why, breaches=(breach,))


def _minutes(time: timedelta) -> str:
    return f"{time.total_seconds() / 60:.0f}"

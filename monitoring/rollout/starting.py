"""The begin of a rollout: may it, what do the replays show, and the first traffic."""

from datetime import timedelta
from typing import Any

from ml_modeling.lifecycle import gate_run
from ml_modeling.registry import CHAMPION
from ml_modeling.registry.promotion import ChampionChangedError, check_judged
from ml_modeling.registry.versions import GateNotPassedError, Version, behind_alias
from ml_modeling.tracking.runs import UnusableRunError, existing_run
from monitoring.control import Policy, RetrainRequest, Rollout
from monitoring.performance.delay import label_delay
from monitoring.rollout import proving
from monitoring.rollout.errors import IsChampionError, RolloutRunsError, UndecidableError
from monitoring.rollout.measuring import LABEL_DELAY, MEAN_ERROR
from monitoring.rollout.plan import plan_of
from monitoring.rollout.running import OVERRIDE, running
from monitoring.rollout.work import Work, is_of, model_ref


def begin(  # noqa: PLR0913 - what the first change says
    work: Work,
    version: Version,
    reason: str,
    *,
    policy: Policy | None = None,
    request: RetrainRequest | None = None,
    is_override: bool = False,
) -> Rollout:
    """The first change of the rollout of ``version``; the newest one where this very rollout runs already.

    Without a champion there is nobody to compare with, so the policy is direct. ``is_override`` is a person's decision
    past the gates, and is told wherever the rollout is.

    Raises:
        RolloutRunsError: another version is on its way.
        IsChampionError: it is the champion.
        GateNotPassedError: the gates do not let it through, or judged another model.
        ReplayDiffersError: the champion does not say again what it said.
        UndecidableError: the policy waits for outcomes, which come too late.
        StateConflictError: another changed the traffic meanwhile.
    """
    place = work.place
    there, current = running(place.store, place.name), place.store.rollouts.current(place.name)
    request_id = None if request is None else request.id
    if there is not None:
        if is_of(version, there.challenger) and there.now.request_id == request_id:
            return there.now
        raise RolloutRunsError(
            f"version {there.challenger.version} of {place.name!r} is being rolled out: wait for its end, or "
            f"`tidemill rollout stop {place.name} --reason TEXT`"
        )
    champion = behind_alias(place.settings, place.name, CHAMPION)
    if champion is not None and champion.identity == version.identity:
        raise IsChampionError(f"version {version.version} of {place.name!r} is the champion already")
    if not is_override:
        _judged(work, version, champion, may_judge=request is not None)
    plan = plan_of(work.spec, Policy.DIRECT if champion is None else policy or Policy(work.spec.policy))
    evidence = _evidence(work, version, champion) | {OVERRIDE: is_override}
    if plan.policy is Policy.AB:
        _check_decidable(work, evidence)
    return place.store.rollouts.change(
        place.name,
        0 if current is None else current.epoch,
        plan.first(None if champion is None else model_ref(champion), model_ref(version)),
        actor=place.who,
        reason=f"past the gates, by a person's decision: {reason}" if is_override else reason,
        evidence=evidence,
        request_id=request_id,
    )


def _judged(work: Work, version: Version, champion: Version | None, *, may_judge: bool) -> None:
    """That the gates let it through, compared with today's champion; a request's model is compared again if not."""
    try:
        check_judged(work.place.settings, version, champion)
    except ChampionChangedError:
        if not may_judge:
            raise
        _judge_again(work, version)


def _judge_again(work: Work, version: Version) -> None:
    """Puts the model before the gates against today's champion.

    Raises:
        GateNotPassedError: they say no; the message has the reasons.
    """
    report = gate_run(work.place.settings, work.use_case, version.run_id)
    if not report.passed:
        against = f"against champion {report.champion or 'none'}"
        raise GateNotPassedError(f"version {version.version} {against}: {'; '.join(report.reasons)}")


def _evidence(work: Work, version: Version, champion: Version | None) -> dict[str, Any]:
    if champion is None:
        return proving.no_champion()
    error = {MEAN_ERROR: champion.metrics["mae"]} if "mae" in champion.metrics else {}
    proof = proving.proof(work.place.settings, work.place.name, version.version, work.spec.replay_time)
    return proof | error | _delay(work, champion)


def _delay(work: Work, champion: Version) -> dict[str, Any]:
    """How long labels take; nothing where the champion's run is gone, or does not say it."""
    try:
        run = existing_run(work.place.settings, work.place.name, champion.run_id)
        return {LABEL_DELAY: label_delay(work.use_case, run.read().data.params) / timedelta(days=1)}
    except UnusableRunError:
        return {}


def _check_decidable(work: Work, evidence: dict[str, Any]) -> None:
    """That outcomes may be known within the time that an A/B test has.

    Raises:
        UndecidableError: they cannot, or nobody knows.
    """
    days, name = evidence.get(LABEL_DELAY), work.place.name
    if days is None:
        raise UndecidableError(
            f"an A/B test of {name!r} waits for outcomes, and the champion's training run does not say how long these "
            "take: choose another policy"
        )
    if days >= work.spec.most_days:
        raise UndecidableError(
            f"an A/B test of {name!r} waits for outcomes, which take {days:g} days, and rollout.most_days = "
            f"{work.spec.most_days:g} ends it before: raise that in model.yaml, or choose another policy"
        )

"""How the champion stands: the losses of what it answered against those of its test part."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import Version, behind_alias
from ml_modeling.tracking.runs import UnusableRunError, existing_run
from ml_modeling.use_case import UseCase
from monitoring.performance.blocks import Blocks, losses_in
from monitoring.performance.delay import label_delay
from monitoring.performance.judge import judge
from monitoring.performance.reference import TrainedLoss, trained_loss
from monitoring.performance.served import ServedLosses, served_losses
from monitoring.performance.standing import LossReferenceError, Rule, Standing, Verdict
from tidemill.config.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Judgement:
    """What ``trained`` has as the reference, ``served`` as the losses, and ``verdict`` says of them by ``rule``."""

    trained: TrainedLoss
    served: ServedLosses
    verdict: Verdict
    rule: Rule

    @property
    def outcomes(self) -> int:
        """How many outcomes count."""
        return self.served.blocks.losses

    @property
    def outcomes_enough(self) -> int:
        """After how many a rise that counts would have been found."""
        return losses_in(self.verdict.enough)


@dataclass(frozen=True)
class ChampionStanding:
    """How the version stands; ``why`` is the sentence that says why nobody knows."""

    champion: Version
    judgement: Judgement | None
    why: str = ""

    @property
    def standing(self) -> Standing:
        return Standing.UNKNOWN if self.judgement is None else self.judgement.verdict.standing


def standing_of_champion(settings: Settings, use_case: UseCase, rule: Rule | None = None) -> ChampionStanding | None:
    """How the champion of the use case stands; None where there is none.

    It follows from the outcomes that the lake has, and from no clock: the same outcomes say the same.
    """
    champion = behind_alias(settings, use_case.name, CHAMPION)
    if champion is None:
        return None
    try:
        trained, delay = _training(settings, use_case, champion)
    except (UnusableRunError, LossReferenceError) as error:
        return ChampionStanding(champion, None, str(error))
    served = served_losses(settings, use_case, champion.identity, delay, trained.largest)
    if served is None:
        why = f"no outcome of {use_case.name} is known: `tidemill models outcomes {use_case.name}` joins what there is"
        return ChampionStanding(champion, None, why)
    judgement = _judged(trained, served, rule or Rule())
    return ChampionStanding(champion, judgement, _why(judgement))


def _training(settings: Settings, use_case: UseCase, champion: Version) -> tuple[TrainedLoss, timedelta]:
    """What the run that made the champion says of its loss, and of how long labels take."""
    if not champion.run_id:
        raise UnusableRunError(f"version {champion.version} of {use_case.name} was registered without a training run")
    data = existing_run(settings, use_case.name, champion.run_id).read().data
    try:
        trained = trained_loss(use_case.task.name, data.metrics)
    except LossReferenceError as error:
        again = f"`tidemill models evaluate {use_case.name} --run {champion.run_id}` measures its test part again"
        raise LossReferenceError(f"run {champion.run_id} {error}; {again}") from error
    return trained, label_delay(use_case, data.params)


def _judged(trained: TrainedLoss, served: ServedLosses, rule: Rule) -> Judgement:
    blocks = served.blocks
    times = [EPOCH + timedelta(microseconds=begin) for begin in blocks.begins.tolist()]
    verdict = judge(blocks.means, times, trained.reference, rule)
    return Judgement(trained, served, _by_outcomes(verdict, blocks, trained.reference.high), rule)


def _by_outcomes(verdict: Verdict, blocks: Blocks, bound: float) -> Verdict:
    """The verdict with the mean of the outcomes, in the place of that of the blocks, of which later ones are larger."""
    if verdict.mean is None:
        return verdict
    begin = 0 if verdict.since is None else (verdict.since - EPOCH) // timedelta(microseconds=1)
    counts = blocks.begins >= begin
    mean = float(np.average(blocks.means[counts], weights=blocks.sizes[counts]))
    return replace(verdict, mean=mean, excess=None if verdict.excess is None else mean - bound)


def _why(judgement: Judgement) -> str:
    if judgement.verdict.standing is not Standing.UNKNOWN:
        return ""
    return f"{judgement.outcomes:,} outcomes count, and it takes {judgement.outcomes_enough:,} to say that it is fine"

"""The monitors of ``loop_years.py``: a look at what the champion was asked, and at what came true of its answers.

Both are the project's own, with the policies that ship; what they read from the lake comes from the simulation here.
The domain classifier over all features together takes a fifth of a second a look, ten times as much as all the rest, so
it looks along only when it is asked to.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from loop_models import BEGAN, USE_CASE, Model, definitions
from loop_world import DAY, Asked, Floats, Integers

from ml_modeling.registry import CHAMPION
from ml_modeling.registry.versions import Version
from ml_modeling.use_case import load_use_case
from monitoring.control import Ask
from monitoring.drift import Current, Judgement, Looks, Policy, Reference, judge
from monitoring.looks.columns import batch_of
from monitoring.looks.look import look_id, policy_of
from monitoring.looks.requesting import ask_of
from monitoring.looks.results import Subject, Verdicts
from monitoring.looks.served import EARLIER_WINDOWS, Counts, Window
from monitoring.performance import Rule, squared_errors
from monitoring.performance import judge as judge_losses
from monitoring.performance.blocks import blocks
from monitoring.performance.champion import EPOCH, ChampionStanding
from monitoring.performance.champion import Judgement as LossJudgement
from monitoring.performance.reference import TrainedLoss
from monitoring.performance.requesting import ask_of as performance_ask_of
from monitoring.performance.served import ServedLosses
from monitoring.profiles import RowSample, TableDefinition, profile_batches
from tidemill.config.sections import Drift as DriftSettings

SETTINGS = DriftSettings()
EVENTS = replace(load_use_case("fraud"), name=USE_CASE)
"""A use case whose question is about events, for who asks by outcomes; only its name is looked at."""
WINDOW = DAY
"""That of ``monitor.window_h``."""


@dataclass(frozen=True)
class Monitor:
    """How a look is taken: the policy that ships, unless another is asked for."""

    policy: Policy = field(default_factory=lambda: policy_of(SETTINGS))
    with_classifier: bool = False


@dataclass
class Champion:
    """A model, which answered first ``since``; it is the ``number``-th of its year. ``looks`` is the looks' state."""

    model: Model
    since: float
    number: int
    looks: Looks = field(default_factory=Looks)
    sample: RowSample | None = None

    def __post_init__(self) -> None:
        self.definition: TableDefinition = self.model.reference.definition_to_compare()

    @property
    def subject(self) -> Subject:
        return Subject(USE_CASE, str(self.model.day), self.model.identity)

    @property
    def version(self) -> Version:
        """As the registry would have it."""
        return Version(
            name=USE_CASE,
            version=str(self.model.day),
            aliases=(CHAMPION,),
            passed_gates=True,
            created_at=time(self.since),
            metrics={},
            **self.model.identity.model_dump(),
        )


@dataclass(frozen=True)
class Log:
    """What was ``said`` (n,) to each of ``asked``, and ``by`` (n,) which of the year's models; -1 is not yet."""

    asked: Asked
    said: Floats
    by: Integers


def time(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def judged(monitor: Monitor, champion: Champion, log: Log, now: float) -> Judgement:
    """The look at ``now``: as ``monitoring.looks`` takes it, and with its state."""
    rows = log.asked.between(now - WINDOW, now)
    own = log.by[rows] == champion.number
    matrix = np.hstack([log.asked.x[rows][own], log.said[rows][own].reshape(-1, 1)])
    batch = batch_of(matrix, champion.definition)
    answers = rows.stop - rows.start
    profile = replace(profile_batches([batch], champion.definition), rows=answers, latest=time(now))
    samples: tuple[RowSample | None, RowSample | None] = (None, None)
    if monitor.with_classifier:
        random = np.random.default_rng(0)
        if champion.sample is None:
            champion.sample = _sample(batch_of(champion.model.fitted.x, definitions(champion.model.serving)[0]), random)
        samples = (champion.sample, _sample(batch, random))
    reference = Reference(champion.model.reference, {}, _volumes(log.asked, now), samples[0])
    return judge(reference, Current(profile, time(now), samples[1]), monitor.policy, champion.looks)


def _sample(batch: pa.RecordBatch, random: np.random.Generator) -> RowSample:
    return RowSample.of(pa.Table.from_batches([batch]), SETTINGS.sample_rows, random)


def _volumes(asked: Asked, now: float) -> list[int]:
    """Of the whole windows before this one."""
    edges = now - WINDOW * np.arange(1, EARLIER_WINDOWS + 1)
    return (-np.diff(np.searchsorted(asked.at, edges))).tolist()


def drift_ask(champion: Champion, judgement: Judgement, now: float) -> Ask | None:
    """What the look asks for, if it does."""
    window = Window(time(now - WINDOW), time(now))
    name = look_id(champion.subject, window)
    found = Verdicts(name, window, Counts(), judgement.alpha, judgement.verdicts, time(now))
    return ask_of(champion.subject, found)


def performance_ask(champion: Champion, log: Log, now: float) -> Ask | None:
    """What the outcomes of the champion's answers ask for, if they do.

    Every prediction is of an event of its own, so that all of them count.
    """
    until = now - champion.model.gap.total_seconds()
    rows = log.asked.between(champion.since, max(until, champion.since))
    places = np.flatnonzero((log.by[rows] == champion.number) & (log.asked.known_at[rows] <= now)) + rows.start
    losses = squared_errors(log.asked.y[places].astype(np.float64), log.said[places])
    begins = (log.asked.at[places] + BEGAN.timestamp()) * 1_000_000
    served = blocks([(begins.astype(np.int64), losses)])
    rule, reference = Rule(), champion.model.loss
    verdict = judge_losses(served.means, [EPOCH + timedelta(microseconds=int(at)) for at in served.begins], reference)
    judgement = LossJudgement(TrainedLoss(reference), ServedLosses(served, time(until), 0), verdict, rule)
    return performance_ask_of(EVENTS, ChampionStanding(champion.version, judgement))

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

from monitoring.control import Ask, Source
from monitoring.drift import Current, Judgement, Looks, Reference, judge
from monitoring.looks.columns import batch_of
from monitoring.looks.look import look_id, policy_of
from monitoring.looks.requesting import ask_of
from monitoring.looks.results import Subject, Verdicts
from monitoring.looks.served import EARLIER_WINDOWS, Counts, Window
from monitoring.performance import Standing, settled, squared_errors
from monitoring.performance import judge as judge_losses
from monitoring.profiles import RowSample, TableDefinition, profile_batches
from tidemill.config.settings import Drift as DriftSettings

SETTINGS = DriftSettings()
POLICY = policy_of(SETTINGS)
WINDOW = DAY
"""That of ``monitor.window_h``."""


@dataclass
class Champion:
    """A model that answers ``since``; it is the ``number``-th of its year. ``looks`` is the state between looks."""

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


@dataclass(frozen=True)
class Log:
    """What was ``said`` (n,) to each of ``asked``, and ``by`` (n,) which of the year's models; -1 is not yet."""

    asked: Asked
    said: Floats
    by: Integers


def time(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def judged(champion: Champion, log: Log, now: float, *, with_classifier: bool) -> Judgement:
    """The look at ``now``: as ``monitoring.looks`` takes it, and with its state."""
    rows = log.asked.between(now - WINDOW, now)
    own = log.by[rows] == champion.number
    matrix = np.hstack([log.asked.x[rows][own], log.said[rows][own].reshape(-1, 1)])
    batch = batch_of(matrix, champion.definition)
    answers = rows.stop - rows.start
    profile = replace(profile_batches([batch], champion.definition), rows=answers, latest=time(now))
    samples: tuple[RowSample | None, RowSample | None] = (None, None)
    if with_classifier:
        random = np.random.default_rng(0)
        if champion.sample is None:
            champion.sample = _sample(batch_of(champion.model.fitted.x, definitions(champion.model.serving)[0]), random)
        samples = (champion.sample, _sample(batch, random))
    reference = Reference(champion.model.reference, {}, _volumes(log.asked, now), samples[0])
    return judge(reference, Current(profile, time(now), samples[1]), POLICY, champion.looks)


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

    Nothing of the project asks by outcomes so far; what is done here is what its documentation tells to do.
    """
    until = now - champion.model.gap.total_seconds() - DAY
    rows = log.asked.between(champion.since, max(until, champion.since))
    own = np.flatnonzero(log.by[rows] == champion.number) + rows.start
    if not len(own):
        return None
    times = [time(at) for at in log.asked.at[own].tolist()]
    numbers = settled(times, log.asked.known_at[own] <= now, time(until))
    losses = squared_errors(log.asked.y[own][numbers].astype(np.float64), log.said[own][numbers])
    verdict = judge_losses(losses, [times[number] for number in numbers], champion.model.loss)
    if verdict.standing is not Standing.WORSE:
        return None
    identity = champion.model.identity
    reason = f"its mean loss rose to {verdict.mean:.4f} since {verdict.since:%F}"
    key = f"performance/{identity.run_id}/{identity.model_id}"
    return Ask(USE_CASE, Source.PERFORMANCE, key, reason, "performance monitor")

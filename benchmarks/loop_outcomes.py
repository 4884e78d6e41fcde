"""What a year of ``loop_years.py`` comes to: by the loop as it ships, and by those that it is held against."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from loop_life import Life, Loop, SetClock, Setting, Trainings
from loop_models import ideal, true_loss
from loop_monitors import Monitor
from loop_rollout import served
from loop_world import CALM, DAY, DRIFTS, NONE, Drift, Floats, World, asked, people
from pydantic import BaseModel, ConfigDict

from monitoring.control import ControlStore, Limits, Source

A_DAY = 400
BEGIN = 330
"""The day on which a year begins: before it are enough days with labels for a first training."""
DAYS = 365
EARLIEST, LATEST = 60, 150
"""The days of a year between which the change begins."""
ORACLES_ROWS = 28 * A_DAY
KINDS = (NONE, *DRIFTS)


class Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Promoted(Record):
    """``day`` is of the year; ``loss`` and ``auc`` are the new champion's less the old one's, in truth."""

    day: float
    loss: float
    auc: float


class Told(Record):
    """What a loop did, by days of the year: found drift or a worse model, asked, trained, rejected and so on."""

    found: tuple[float, ...]
    found_by_outcomes: tuple[float, ...]
    requested: tuple[float, ...]
    requested_by_outcomes: tuple[float, ...]
    trained: tuple[float, ...]
    rejected: tuple[float, ...]
    promoted: tuple[Promoted, ...]
    taken_back: tuple[tuple[float, str], ...]
    refused: int


class Outcome(Record):
    """A year: ``onset`` is the day on which the change began, None where none did.

    ``losses`` are the mean expected squared errors over the year, by policy.
    """

    year: int
    kind: str
    size: str
    onset: int | None
    told: Told
    losses: Mapping[str, float]


def drift_of(year: int) -> Drift:
    """Each kind and size in turn."""
    return KINDS[year % len(KINDS)]


@dataclass(frozen=True)
class Terms:
    """By what years are drawn, and lived through: with the limits on requests, and the looks, that ship."""

    seed: int = 0
    days: int = DAYS
    limits: Limits = field(default_factory=Limits)
    monitor: Monitor = field(default_factory=Monitor)


def outcome(year: int, terms: Terms, folder: Path) -> Outcome:
    """Lives through a year; ``folder`` is where its control store may be for so long."""
    random, drift, days = np.random.default_rng([terms.seed, year]), drift_of(year), terms.days
    onset = int(random.integers(EARLIEST, LATEST + 1)) if drift is not NONE else None
    everything = asked(random, drift, BEGIN + (days if onset is None else onset), BEGIN + days, A_DAY)
    answered = served(random, len(everything))
    setting = Setting(everything, answered, Trainings(everything), BEGIN, BEGIN + days, terms.limits, terms.monitor)
    clock = SetClock()
    with ControlStore(f"sqlite:///{folder}/year-{year}.db", clock) as store:
        life = Loop(setting, store, clock).lived()
    said = {
        "the loop": life.said,
        "never": setting.trainings.of(BEGIN).scores(everything.x),
        "daily": _daily(setting),
        "oracle": _oracle(setting, drift, onset, random),
    }
    of_year = everything.between(BEGIN * DAY, (BEGIN + days) * DAY)
    p = everything.p[of_year]
    losses = {name: float(true_loss(scores[of_year], p).mean()) for name, scores in said.items()}
    return Outcome(
        year=year,
        kind=drift.kind,
        size=drift.size,
        onset=onset,
        told=_told(life),
        losses=losses,
    )


def _daily(setting: Setting) -> Floats:
    """A new model every morning, without a gate."""
    said = np.full(len(setting.asked), np.nan)
    for day in range(setting.begin, setting.end):
        rows = setting.asked.between(day * DAY, (day + 1) * DAY)
        said[rows] = setting.trainings.of(day).scores(setting.asked.x[rows])
    return said


def _oracle(setting: Setting, drift: Drift, onset: int | None, random: np.random.Generator) -> Floats:
    """At the very change, and on every day while it goes on, a model of as many rows of the new world as others have.

    Nobody has these rows, least of all with labels: it is how well one can do, not what one could have done.
    """
    said = setting.trainings.of(setting.begin).scores(setting.asked.x)
    if onset is None:
        return said
    world: World = CALM
    for day in range(setting.begin + onset, setting.end):
        now = drift.world_after(day - setting.begin - onset)
        if now != world:
            world = now
            x, p = people(random, world, ORACLES_ROWS)
            y = (random.random(len(p)) < p).astype(np.int64)
            rows = setting.asked.between(day * DAY, setting.end * DAY)
            said[rows] = ideal(x, y, day).scores(setting.asked.x[rows])
    return said


def _told(life: Life) -> Told:
    def of_source(told: list[tuple[float, Source]], source: Source) -> tuple[float, ...]:
        return tuple(_day(at) for at, asked_by in told if asked_by is source)

    return Told(
        found=of_source(life.found, Source.DRIFT),
        found_by_outcomes=of_source(life.found, Source.PERFORMANCE),
        requested=of_source(life.requested, Source.DRIFT),
        requested_by_outcomes=of_source(life.requested, Source.PERFORMANCE),
        trained=tuple(map(_day, life.trained)),
        rejected=tuple(map(_day, life.rejected)),
        promoted=tuple(Promoted(day=_day(it.at), loss=it.loss, auc=it.auc) for it in life.promoted),
        taken_back=tuple((_day(at), guards) for at, guards in life.taken_back),
        refused=life.refused,
    )


def _day(at: float) -> float:
    return at / DAY - BEGIN

"""A year of the closed loop in ``loop_years.py``: looks, requests, trainings, gates, rollouts, by a clock of its own.

Every six hours there is a look at the inputs, as ``monitor_<use case>`` takes it, and once a week one at the outcomes,
which that takes as often: what came true tells the same later. A request is claimed when no rollout runs, and a
training takes no time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np
from loop_models import BEGAN, USE_CASE, Model, gated, trained, true_auc, true_loss
from loop_monitors import Champion, Log, Monitor, drift_ask, judged, performance_ask, time
from loop_rollout import HOUR, Running, Served, Shown, begun, decided
from loop_world import DAY, Asked, Floats
from sqlalchemy import Connection

from monitoring.control import Ask, ControlStore, Lease, Limits, RetrainRequest, Source, State
from monitoring.rollout.deciding import Action

LOOK = 6 * HOUR
WEEK = 7 * DAY
LEASE = timedelta(days=30)


class SetClock:
    """Says what it was set to."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self, _connection: Connection) -> datetime:
        return self.now


class Trainings:
    """Models by the day they are trained on: those who train on the same day have the same one."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._by_day: dict[int, Model] = {}

    def of(self, day: int) -> Model:
        if day not in self._by_day:
            self._by_day[day] = trained(self._asked, day)
        return self._by_day[day]


@dataclass(frozen=True)
class Promotion:
    """``loss`` and ``auc`` are those of the new champion less those of the old, in truth, on the week that followed."""

    at: float
    loss: float
    auc: float


@dataclass
class Life:
    """What happened in a year, by the seconds at which it did, and what was ``said`` (n,) to all that was asked."""

    said: Floats
    found: list[tuple[float, Source]] = field(default_factory=list)
    requested: list[tuple[float, Source]] = field(default_factory=list)
    trained: list[float] = field(default_factory=list)
    rejected: list[float] = field(default_factory=list)
    promoted: list[Promotion] = field(default_factory=list)
    taken_back: list[tuple[float, str]] = field(default_factory=list)
    refused: int = 0


@dataclass(frozen=True)
class Setting:
    """What loops of one year share; ``begin`` and ``end`` are its first day and the one after its last."""

    asked: Asked
    answered: Served
    trainings: Trainings
    begin: int
    end: int
    limits: Limits = field(default_factory=Limits)
    monitor: Monitor = field(default_factory=Monitor)


class Loop:
    """The loop through one year; ``name`` is what the use case is called in the store."""

    def __init__(self, setting: Setting, store: ControlStore, clock: SetClock, name: str = USE_CASE) -> None:
        self._setting, self._store, self._clock, self._name = setting, store, clock, name
        asked = setting.asked
        self._log = Log(asked, np.full(len(asked), np.nan), np.full(len(asked), -1))
        self._champion = Champion(setting.trainings.of(setting.begin), setting.begin * DAY, 0)
        self._models = 1
        self._scores = self._scores_from(self._champion.model, self._champion.since)
        self._running: Running | None = None
        self._challengers_scores: Floats = self._scores
        self._is_waiting = False
        self._life = Life(self._log.said)

    def lived(self) -> Life:
        """All of it."""
        setting = self._setting
        for number in range(round((setting.end - setting.begin) * DAY / LOOK)):
            before = setting.begin * DAY + number * LOOK
            for hour in range(round(LOOK / HOUR)):
                self._serve(before + hour * HOUR, before + (hour + 1) * HOUR)
            self._look(before + LOOK)
        return self._life

    def _serve(self, begin: float, end: float) -> None:
        asked, rows = self._setting.asked, self._setting.asked.between(begin, end)
        running = self._running
        self._log.said[rows], self._log.by[rows] = self._scores[rows], self._champion.number
        if running is None:
            return
        is_its = running.is_challengers[asked.customer[rows]] & ~self._setting.answered.fails[rows]
        places = np.flatnonzero(is_its) + rows.start
        self._log.said[places], self._log.by[places] = self._challengers_scores[places], self._models
        self._step(running, end)

    def _step(self, running: Running, now: float) -> None:
        asked, answered = self._setting.asked, self._setting.answered
        step = asked.between(running.step_since, now)
        shown = Shown(asked.customer[step], self._log.said[step], answered.ms[step], answered.fails[step])
        decision = decided(running, shown, now)
        match decision.action:
            case Action.STEP if decision.traffic is not None:
                running.traffic, running.step_since = decision.traffic, now
            case Action.PROMOTE:
                self._promote(running, now)
            case Action.ROLL_BACK:
                self._life.taken_back.append((now, ", ".join(breach.guard for breach in decision.breaches)))
                self._end(running.lease, State.CANARY, State.REJECTED, now)
                self._running, self._models = None, self._models + 1

    def _promote(self, running: Running, now: float) -> None:
        rows = self._setting.asked.between(now, now + WEEK)
        p, new, old = self._setting.asked.p[rows], self._challengers_scores[rows], self._scores[rows]
        loss = float((true_loss(new, p) - true_loss(old, p)).mean()) if len(p) else 0.0
        self._life.promoted.append(Promotion(now, loss, true_auc(new, p) - true_auc(old, p)))
        self._end(running.lease, State.CANARY, State.PROMOTED, now)
        self._champion = Champion(running.challenger, running.began, self._models)
        self._scores, self._running, self._models = self._challengers_scores, None, self._models + 1

    def _look(self, now: float) -> None:
        judgement = judged(self._setting.monitor, self._champion, self._log, now)
        self._champion.looks = judgement.looks
        self._ask(drift_ask(self._champion, judgement, now), now)
        if round((now - self._setting.begin * DAY) / LOOK) % round(WEEK / LOOK) == 0:
            self._ask(performance_ask(self._champion, self._log, now), now)
        if self._is_waiting and self._running is None:
            self._work_off(now)

    def _ask(self, ask: Ask | None, now: float) -> None:
        if ask is None:
            return
        self._life.found.append((now, ask.source))
        self._clock.now = time(now)
        answer = self._store.requests.ask(replace(ask, use_case=self._name), self._setting.limits)
        if not isinstance(answer, RetrainRequest):
            self._life.refused += 1
        elif answer.asked == 1:
            self._life.requested.append((now, ask.source))
            self._is_waiting = True

    def _work_off(self, now: float) -> None:
        """The oldest request, up to its rollout."""
        self._clock.now = time(now)
        states = (State.REQUESTED,)
        request = self._store.requests.claim("trainer", LEASE, self._name, states=states)
        self._is_waiting = self._store.requests.waiting(self._name, states) is not None
        if request is None:
            return
        model, champion = self._setting.trainings.of(int(now // DAY)), self._champion.model
        self._life.trained.append(now)
        self._store.requests.advance(request.lease, State.CLAIMED, State.TRAINED, {})
        self._store.requests.advance(request.lease, State.TRAINED, State.GATED, {})
        if not gated(model, champion).passed:
            self._life.rejected.append(now)
            self._end(request.lease, State.GATED, State.REJECTED, now)
            return
        self._store.requests.advance(request.lease, State.GATED, State.CANARY, {})
        replayed = self._setting.asked.x[self._setting.asked.between(now - DAY, now)]
        self._running = begun(champion, model, request.lease, replayed, now)
        self._challengers_scores = self._scores_from(model, now)

    def _scores_from(self, model: Model, now: float) -> Floats:
        """What a model would say to all who ask from now on; nan before."""
        asked = self._setting.asked
        rows = asked.between(now, float("inf"))
        said = model.scores(asked.x[rows]) if rows.start < len(asked) else np.empty(0)
        return np.concatenate([np.full(rows.start, np.nan), said])

    def _end(self, lease: Lease, state: State, to: State, now: float) -> None:
        self._clock.now = time(now)
        self._store.requests.advance(lease, state, to, {})

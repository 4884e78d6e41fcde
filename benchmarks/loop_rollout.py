"""A rollout in ``loop_years.py``: the traffic of champion and challenger, and the project's decision every hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from loop_models import BEGAN, SPEC, USE_CASE, Model
from loop_world import CUSTOMERS, DAY, Floats, Integers

from ml_modeling.replay.comparing import Replayed
from ml_modeling.replay.saying import Saying
from model_serving.arms import is_drawn, salt_of
from monitoring.control import Lease, ModelRef, Policy, Traffic
from monitoring.rollout.contest import contest
from monitoring.rollout.deciding import Decision, Standing, decide
from monitoring.rollout.figures import ChallengerFigures, Figures, Spread
from monitoring.rollout.guards import slow_limit
from monitoring.rollout.plan import Plan, plan_of
from monitoring.rollout.scores import Expected, expected

HOUR = DAY / 24
Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Served:
    """How each prediction of a year went: ``ms`` it took, and whether a challenger would fail at it."""

    ms: Floats
    fails: Marks


def served(random: np.random.Generator, count: int) -> Served:
    """A healthy server: 20 ms in the middle, 46 ms at the 95th percentile, one failure of two hundred."""
    return Served(np.exp(random.normal(np.log(20), 0.5, count)), random.random(count) < 0.005)


@dataclass
class Running:
    """A rollout on its way; the step that it is in began ``step_since``, in seconds from the begin of all."""

    challenger: Model
    lease: Lease
    plan: Plan
    traffic: Traffic
    began: float
    step_since: float
    champion_cells: Expected | None
    challenger_cells: Expected | None
    points: Floats

    @property
    def is_challengers(self) -> Marks:
        """Of each customer, whether the challenger answers."""
        return self.points < self.traffic.share


def ref(model: Model) -> ModelRef:
    return ModelRef(str(model.day), model.identity.run_id, model.identity.model_id)


def begun(champion: Model, challenger: Model, lease: Lease, replayed: Floats, now: float) -> Running:
    """The first step, after both have answered the rows ``replayed`` (n, features) of the last day."""
    plan = plan_of(SPEC.rollout, Policy(SPEC.rollout.policy))
    first = plan.first(ref(champion), ref(challenger))
    cells = (_cells(model, replayed) for model in (champion, challenger))
    return Running(challenger, lease, plan, first, now, now, *cells, points=_points(challenger, plan))


def _cells(model: Model, replayed: Floats) -> Expected | None:
    said = Saying()
    scores = model.scores(replayed)
    said.add(Replayed(scores.reshape(-1, 1), np.where(scores >= 0.5, *reversed(SPEC.decisions)).astype(object)))
    return expected(said.result())


def _points(challenger: Model, plan: Plan) -> Floats:
    """The share from which on each customer is the challenger's, less one: as the server draws it."""
    salt = salt_of(USE_CASE, challenger.identity.run_id, challenger.identity.model_id)
    points = np.full(CUSTOMERS, 100.0)
    for share in sorted(plan.shares, reverse=True):
        drawn = [is_drawn(salt, str(customer), share) for customer in range(CUSTOMERS)]
        points[drawn] = share - 1
    return points


@dataclass(frozen=True)
class Shown:
    """The predictions of a step so far: who asked, what was said, in how many ms, and at which a challenger fails."""

    customer: Integers
    said: Floats
    ms: Floats
    fails: Marks


def decided(running: Running, shown: Shown, now: float) -> Decision:
    """What is to be done."""
    figures = _figures(running, shown)
    standing = Standing(running.plan, running.traffic, _time(running.step_since), _time(running.began))
    return decide(SPEC.rollout, standing, figures, _time(now))


def _figures(running: Running, shown: Shown) -> Figures:
    is_its = running.is_challengers[shown.customer]
    failed = is_its & shown.fails
    own, champions = is_its & ~failed, ~is_its
    ms = shown.ms
    p95 = float(np.quantile(ms[champions], 0.95)) if champions.any() else None
    slow_ms = slow_limit(SPEC.rollout.guards, p95)
    slow = 0 if slow_ms is None else int((ms[own] > slow_ms).sum())
    of_it = ChallengerFigures(int(own.sum()), int(failed.sum()), int(own.sum()), slow, slow_ms)
    return Figures(
        challenger=of_it,
        champion_answers=int(champions.sum()),
        champion_p95_ms=p95,
        scores=_spread(running.challenger_cells, shown.said[own]),
        champion_scores=_spread(running.champion_cells, shown.said[champions]),
        # Labels take up to 90 days, and a rollout at most 14: none of its outcomes is settled while it runs.
        contest=contest(iter(()), 0, 0),
    )


def _spread(cells: Expected | None, said: Floats) -> Spread:
    """Counted as the log is: an edge belongs to the cell that it begins."""
    if cells is None:
        return Spread()
    place = np.searchsorted(cells.edges, said, side="right")
    return Spread(cells.rows, np.bincount(place, minlength=len(cells.rows)).tolist())


def _time(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)

"""The world of ``loop_years.py``: who asks, what comes true and when that is known, and how it changes.

Ten features of a customer follow from ten latent ones, which are standard normal: six are those themselves, two are
amounts with heavy tails, one is a count, and one is missing for every tenth. What comes true depends on the latent ones
by a logistic model with an interaction and a square, which a logistic regression on the features can only approach. So
it fits the place where the customers are, and is off when they move.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FEATURES = tuple(f"x{number}" for number in range(10))
MOVED = (0, 1)
"""The features that a shift moves and that go missing: a fifth of them."""
WEIGHTS = np.array([0.9, -0.7, 0.5, 0.4, -0.3, 0.2, 0.5, -0.4, 0.3, 0.1])
OTHER_WEIGHTS = np.array([-0.3, 0.5, 0.9, -0.7, 0.4, 0.2, 0.5, -0.4, 0.3, 0.1])
"""Those that a concept drift goes to: the same ones, of other features."""
INTERCEPT = -1.5
CUSTOMERS = 5_000
DAY = 86_400.0
SLOWEST_DAYS = {True: 45.0, False: 90.0}
"""A label takes from no time to so many days, each as likely: what is positive is told sooner."""


@dataclass(frozen=True)
class World:
    """How customers are on a day, against how they were when all began.

    ``shift`` in standard deviations and ``missing`` as a share are of the ``MOVED`` features, ``concept`` is how far
    the weights have gone to the other ones (0 to 1), ``odds`` by what those of a positive label are multiplied while
    positives, and negatives, look as before.
    """

    shift: float = 0.0
    missing: float = 0.0
    concept: float = 0.0
    odds: float = 1.0


CALM = World()


@dataclass(frozen=True)
class Drift:
    """``world`` is reached ``days`` after the change begins, at once where that is 0."""

    kind: str
    size: str
    world: World
    days: int = 0

    def world_after(self, days: float) -> World:
        """That of so many whole days after the change began; negative before it."""
        if days < 0:
            return CALM
        part = 1.0 if not self.days else min(1.0, (days + 1) / self.days)
        to = self.world
        return World(part * to.shift, part * to.missing, part * to.concept, to.odds**part)


NONE = Drift("none", "", CALM)
DRIFTS = (
    *(Drift("covariate shift", f"{size} SD", World(shift=size)) for size in (0.25, 0.5, 1.0)),
    *(Drift("gradual shift, 60 days", f"{size} SD", World(shift=size), 60) for size in (0.5, 1.0)),
    *(Drift("concept drift", f"{size:.0%} of the way", World(concept=size)) for size in (0.5, 1.0)),
    *(Drift("prior shift", f"odds x {size:g}", World(odds=size)) for size in (1.5, 3.0)),
    *(Drift("missing values", f"{size:.0%}", World(missing=size)) for size in (0.05, 0.3)),
)


@dataclass(frozen=True)
class Asked:
    """Predictions in the order they are asked for: ``at`` and ``known_at`` in seconds from the begin of all.

    ``x`` (n, features) is what the model sees, ``p`` the true probability, ``y`` what came true, ``customer`` who.
    """

    at: Floats
    known_at: Floats
    x: Floats
    p: Floats
    y: Integers
    customer: Integers

    def __len__(self) -> int:
        return len(self.at)

    def between(self, begin: float, end: float) -> slice:
        """Those asked for from ``begin`` to before ``end``."""
        first, last = np.searchsorted(self.at, [begin, end])
        return slice(int(first), int(last))


def asked(random: np.random.Generator, drift: Drift, onset: int, days: int, a_day: int) -> Asked:
    """About ``a_day`` predictions on each of ``days``; the change begins with day ``onset``."""
    parts = []
    for day in range(days):
        count = int(random.poisson(a_day))
        at = day * DAY + np.sort(random.uniform(0, DAY, count))
        parts.append((at, *people(random, drift.world_after(day - onset), count)))
    at, x, p = (np.concatenate([part[place] for part in parts]) for place in range(3))
    y = (random.random(len(p)) < p).astype(np.int64)
    slowest = np.where(y == 1, SLOWEST_DAYS[True], SLOWEST_DAYS[False])
    known_at = at + random.random(len(p)) * slowest * DAY
    return Asked(at, known_at, x, p, y, random.integers(0, CUSTOMERS, len(p)))


def people(random: np.random.Generator, world: World, count: int) -> tuple[Floats, Floats]:
    """Features (count, features) and true probabilities (count,) of people in ``world``."""
    latent, p = _latent(random, world, count)
    while len(p) < count:
        more, of_more = _latent(random, world, count)
        latent, p = np.concatenate([latent, more]), np.concatenate([p, of_more])
    latent, p = latent[:count], p[:count]
    x = latent.copy()
    x[:, 6:8] = np.exp(latent[:, 6:8])
    x[:, 8] = np.round(2 * np.exp(0.5 * latent[:, 8]))
    x[random.random(count) < 0.1, 9] = np.nan
    for feature in MOVED:
        x[random.random(count) < world.missing, feature] = np.nan
    return x, p


def _latent(random: np.random.Generator, world: World, count: int) -> tuple[Floats, Floats]:
    """Of people as they were, those are kept who make up the world's odds: some of ``count``."""
    latent = random.normal(size=(count, len(FEATURES)))
    latent[:, MOVED] += world.shift
    weights = WEIGHTS + world.concept * (OTHER_WEIGHTS - WEIGHTS)
    bent = 0.35 * latent[:, 0] * latent[:, 1] + 0.25 * (latent[:, 2] ** 2 - 1)
    p = 1 / (1 + np.exp(-(INTERCEPT + latent @ weights + bent)))
    among = world.odds * p + 1 - p
    is_kept = random.random(count) < among / max(world.odds, 1.0)
    return latent[is_kept], (world.odds * p / among)[is_kept]

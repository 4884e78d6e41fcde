"""The visits of a new project are worth learning from, on whatever day it is made: a model passes its own gates."""

import importlib.util
from datetime import UTC, date, datetime, timedelta
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from sklearn.linear_model import Ridge

from tidemill.projects.new import TEMPLATE

HORIZON = 14
CUTOFFS = yaml.safe_load((TEMPLATE / "use_cases" / "next_visits" / "model.yaml").read_text(encoding="utf-8"))["cutoffs"]
Counts = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def source() -> ModuleType:
    spec = importlib.util.spec_from_file_location("template_visits", TEMPLATE / "sources" / "visits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_day(source: ModuleType, end: date) -> Counts:
    """How often each user came on each of the days before ``end``."""
    midnight = datetime(end.year, end.month, end.day, tzinfo=UTC)
    counts = np.zeros((source.USERS, source.DAYS), np.int64)
    for number in range(source.DAYS):
        for _, data in source._visits(midnight - timedelta(days=source.DAYS - number)):
            counts[int(data["user_id"][1:]), number] += 1
    return counts


def rows(visits: Counts, cutoff: int) -> tuple[Counts, Counts, Counts]:
    """Of the users of the last 14 days: who, their counts of 7, 14 and 28 days, and what came in the next 14."""
    counts = np.stack([visits[:, cutoff - days : cutoff].sum(axis=1) for days in (7, 14, 28)], axis=1)
    active = np.flatnonzero(counts[:, 1])
    return active, counts[active], visits[active, cutoff : cutoff + HORIZON].sum(axis=1)


@pytest.mark.parametrize("end", [date(2026, 3, 2), date(2026, 11, 26), date(2027, 8, 14)], ids=str)
def test_a_ridge_of_three_counts_beats_the_last_fortnight_beyond_doubt(source: ModuleType, end: date) -> None:
    visits = by_day(source, end)
    spacing, newest = CUTOFFS["spacing_days"], source.DAYS - HORIZON
    test = [rows(visits, newest - spacing * back) for back in range(CUTOFFS["test"])]
    before = range(newest - spacing * (CUTOFFS["test"] - 1) - HORIZON, CUTOFFS["min_history_days"], -spacing)
    fitted = [rows(visits, cutoff) for cutoff in before]
    model = Ridge().fit(np.concatenate([row[1] for row in fitted]), np.concatenate([row[2] for row in fitted]))

    users = np.concatenate([row[0] for row in test])
    counts, truth = np.concatenate([row[1] for row in test]), np.concatenate([row[2] for row in test])
    gain = np.abs(model.predict(counts) - truth) - np.abs(counts[:, 1] - truth)
    of_user = np.bincount(users, gain, source.USERS), np.bincount(users, minlength=source.USERS)
    drawn = np.random.default_rng(1).integers(0, source.USERS, (500, source.USERS))
    means = of_user[0][drawn].sum(axis=1) / of_user[1][drawn].sum(axis=1)
    assert gain.mean() + 5 * means.std() < 0

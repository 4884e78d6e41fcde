"""Churn under another name, with two small candidates and a frame that is made here: a training of seconds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.event_range import EventRange
from ml_modeling.frames.examples import TrainingFrame
from ml_modeling.frames.frame import SplitFrame
from ml_modeling.use_case import UseCase, load_use_case
from tests.cases.groups import groups_by_lot

DAYS = [date(2026, 1, 5) + timedelta(weeks=13 * step) for step in range(4)]
SPLIT = CutoffSplit(train=(DAYS[0],), validation=(DAYS[2],), test=(DAYS[3],), between=(DAYS[1],))
EVENTS = EventRange(DAYS[0], date(2027, 1, 4), before=1, earliest=date(2001, 5, 5))
CHURN = load_use_case("churn")


def churn(name: str) -> UseCase:
    spaces: Any = {"logistic_regression": {"C": [0.1, 1.0]}, "lightgbm": {"n_estimators": [10, 20], "num_leaves": 7}}
    spec = CHURN.spec.model_copy(update={"candidates": spaces})
    return replace(CHURN, name=name, spec=spec).with_budget(3, 60.0)


def data(signal: float = 1.0, seed: int = 0, **changes: Callable[[pd.DataFrame], Any]) -> SplitFrame:
    """500 customers at four cutoffs; the label follows two features as far as ``signal`` says."""
    random = np.random.default_rng(seed)
    parts = []
    for day in DAYS:
        values = {feature: random.gamma(2.0, 10.0, 500) for feature in CHURN.features}
        pull = signal * (values["returns__count_90d"] + values["purchases__amount_sum_90d"]) / 20
        label = (random.normal(0, 1, 500) > pull - 2 * signal).astype(int)
        at = pd.Timestamp(day)
        own: dict[str, Any] = {"time": at, "matured_at": at + CHURN.question.horizon, "label": label}
        own |= groups_by_lot(CHURN.spec.fairness.columns, 500)
        parts.append(pd.DataFrame({"entity": [f"c{i:03}" for i in range(500)], **own, **values}))
    rows = pd.concat(parts, ignore_index=True)
    if changes:
        rows = rows.assign(**{key: value(rows) for key, value in changes.items()})
    frame = TrainingFrame(rows, CHURN.features)
    return SplitFrame(frame, SPLIT, {"silver/transactions": 4}, EVENTS)


def quiet(*_: object) -> None:
    """Tells nobody of the progress."""

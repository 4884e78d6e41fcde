"""A small trained model of three features, and answers that it is asked for: as they were learnt, or moved."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from ml_modeling.frames.cutoffs import CutoffSplit
from ml_modeling.frames.event_range import EventRange
from ml_modeling.frames.examples import TrainingFrame
from ml_modeling.frames.frame import SplitFrame
from ml_modeling.registry import CHAMPION, tags
from ml_modeling.registry.connection import connect
from ml_modeling.tracking.runs import TrainingRun
from ml_modeling.use_case import UseCase, load_use_case
from tests.cases.answers_logged import logged
from tests.cases.groups import groups_by_lot
from tidemill.config import Settings

CHURN = load_use_case("churn")
FEATURES = CHURN.features
DAYS = [date(2026, 1, 5) + timedelta(weeks=13 * step) for step in range(4)]
SPLIT = CutoffSplit(train=(DAYS[0],), validation=(DAYS[2],), test=(DAYS[3],), between=(DAYS[1],))
EVENTS = EventRange(DAYS[0], date(2027, 1, 4), before=1, earliest=date(2001, 5, 5))
CUSTOMERS = 1_000
UNTIL = datetime(2026, 11, 1, tzinfo=UTC)


def churn(name: str) -> UseCase:
    """Churn under a name of its own, with one small candidate."""
    spec = CHURN.spec.model_copy(update={"candidates": {"logistic_regression": {"C": [0.1]}}})
    return replace(CHURN, name=name, spec=spec).with_budget(1, 60.0)


def rows(random: np.random.Generator, count: int) -> pd.DataFrame:
    """Independent values of every feature."""
    return pd.DataFrame({feature: random.gamma(2.0, 10.0, count) for feature in FEATURES})


def frame() -> SplitFrame:
    """Customers at four cutoffs, whose label follows two features."""
    random = np.random.default_rng(0)
    parts = []
    for day in DAYS:
        values = rows(random, CUSTOMERS)
        pull = (values["returns__count_90d"] + values["purchases__amount_sum_90d"]) / 20
        label = (random.normal(0, 1, CUSTOMERS) > pull - 2).astype(int)
        at = pd.Timestamp(day)
        own = {"time": at, "matured_at": at + CHURN.question.horizon, "label": label}
        own |= groups_by_lot(CHURN.spec.fairness.columns, CUSTOMERS)
        parts.append(pd.DataFrame({"entity": [f"c{i:03}" for i in range(CUSTOMERS)], **own, **values}))
    return SplitFrame(TrainingFrame(pd.concat(parts, ignore_index=True), FEATURES), SPLIT, {}, EVENTS)


def answers(
    use_case: str, who: Mapping[str, Any], values: pd.DataFrame, scores: Sequence[float], end: datetime = UNTIL
) -> list[dict[str, Any]]:
    """Answers to customers with ``values``, a second apart, the last a second before ``end``."""
    begin = end - timedelta(seconds=len(values))
    said = []
    for number, (row, score) in enumerate(zip(values.itertuples(index=False), scores, strict=True)):
        at = begin + timedelta(seconds=number)
        features = [*zip(FEATURES, row, strict=True)]
        answer = {"features": features, "score": score, **who}
        said.append(logged(use_case, f"{use_case}-{at:%d%H%M%S}", at, {"customer_id": f"c{number}"}, **answer))
    return said


def make_champion(settings: Settings, run: TrainingRun, name: str) -> str:
    """Registers the model of a run as champion, without its gates; its version."""
    client, model = connect(settings), run.model()
    client.create_registered_model(name)
    made = client.create_model_version(
        name,
        source=f"models:/{model.model_id}",
        run_id=run.run_id,
        model_id=model.model_id,
        tags={tags.DIGEST: model.digest},
    )
    client.set_registered_model_alias(name, CHAMPION, made.version)
    return str(made.version)

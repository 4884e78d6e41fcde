"""How good the model is on what it was asked in a window, before outcomes are known: information, never a reason."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ml_modeling.frames.examples import Examples, Floats
from ml_modeling.registry.served import MulticlassServing, RegressionServing, Serving, ServingSpec
from monitoring.drift.domain_classifier import LEAST_ROWS, Separation, separate
from monitoring.estimates import CalibrationError, CannotKnow, KnownRegion, LabelFree, LossModel, ScoreCalibration
from monitoring.looks.columns import predictions

QUALITY = "quality"
"""What is said of all metrics at once."""


@dataclass(frozen=True)
class Asked:
    """Rows of a window: features (n, features), and what the model said of them (n, outputs)."""

    x: Floats
    said: Floats


def label_free(spec: Serving, pipeline: Any, test: Examples, asked: Asked) -> LabelFree:
    """The metrics that are expected of the rows, learnt from the part that the model was tested on."""
    if not len(asked.x):
        return {QUALITY: CannotKnow("the model answered nobody in the window")}
    if isinstance(spec, MulticlassServing):
        return {QUALITY: CannotKnow("there is no estimate without labels of several classes")}
    left = KnownRegion.of(test.x).left_by(asked.x, _separation(test.x, asked.x))
    if left is not None:
        return {QUALITY: left}
    known = predictions(spec, pipeline, test.x)[:, 0]
    try:
        return _estimate(spec, known, test, asked)
    except CalibrationError as error:
        return {QUALITY: CannotKnow(str(error))}


def _estimate(spec: ServingSpec | RegressionServing, known: Floats, test: Examples, asked: Asked) -> LabelFree:
    if isinstance(spec, RegressionServing):
        return LossModel.fit(test.x, known, test.y).estimate(asked.x, asked.said[:, 0])
    return ScoreCalibration.fit(known, test.y).estimate(asked.said[:, 0], spec.threshold)


def _separation(known: Floats, asked: Floats) -> Separation | None:
    """Whether rows are told apart; not of more known rows than were asked, so that these bound the work."""
    if min(len(known), len(asked)) < LEAST_ROWS:
        return None
    chosen = np.random.default_rng(0).permutation(len(known))[: len(asked)]
    return separate(pd.DataFrame(known[chosen]), pd.DataFrame(asked))

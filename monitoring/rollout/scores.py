"""Cells of a model's scores: from what it said in its replay, and for the log to be counted by."""

import logging

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ml_modeling.replay.report import Said
from monitoring.control.records import Json

CELLS = 10

log = logging.getLogger(__name__)


class Expected(BaseModel):
    """How many answers of a replay fall into each cell.

    Of numbers, ``edges`` (k - 1) are where a cell ends and the next begins, which the edge belongs to; of classes,
    ``classes`` name the cells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    rows: tuple[float, ...] = Field(min_length=1)


def expected(said: Said | None) -> Expected | None:
    """The cells of what a model said: its deciles, or its decisions where it has no one score."""
    if said is None:
        return None
    if not said.quantiles:
        return Expected(classes=tuple(said.decisions), rows=tuple(map(float, said.decisions.values())))
    values = np.asarray(said.quantiles)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, CELLS + 1)[1:-1], method="inverted_cdf"))
    shares = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1) / len(values)
    return Expected(edges=tuple(edges.tolist()), rows=tuple((shares * said.answers).tolist()))


def read(evidence: Json, key: str) -> Expected | None:
    """The cells that a rollout began with; None where it has none. What is there and none of ours is told."""
    if evidence.get(key) is None:
        return None
    try:
        return Expected.model_validate(evidence[key])
    except ValidationError as error:
        log.warning("the rollout's evidence has no cells under %s, so scores are not compared: %s", key, error)
        return None

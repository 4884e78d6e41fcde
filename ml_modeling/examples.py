"""Labelled examples in memory: one row an active entity and cutoff, as arrays for the learners."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pandas as pd

from tidemill.config.errors import TerminalError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ENTITY, CUTOFF, LABEL = "entity", "cutoff", "label"


class FrameError(TerminalError):
    """A training frame that cannot be learned from; the message names the column or the count."""


@dataclass(frozen=True)
class Examples:
    """``x`` has shape (n, features), nan where missing; ``y`` (n,) is 0 or 1; ``entities`` (n,) tells who it is."""

    x: Floats
    y: Integers
    entities: Integers

    def __len__(self) -> int:
        return len(self.y)

    @property
    def base_rate(self) -> float:
        """The share of positive labels."""
        return float(self.y.mean())


@dataclass(frozen=True)
class TrainingFrame:
    """``rows`` has columns ``entity``, ``cutoff`` (date), ``label`` and ``features``."""

    rows: pd.DataFrame
    features: tuple[str, ...]

    def __post_init__(self) -> None:
        _check(self.rows, self.features)

    def at(self, cutoffs: Iterable[date]) -> Examples:
        """The examples of some cutoffs, ordered by cutoff and entity."""
        return to_examples(self.rows[self.rows[CUTOFF].isin(set(cutoffs))], self.features)


def check_filled(part: str, examples: Examples, features: tuple[str, ...]) -> None:
    """Each feature has a value in some row of a part that a model is fitted on.

    Raises:
        FrameError: one has none: the model could not have learnt what it means.
    """
    empty = [name for name, column in zip(features, examples.x.T, strict=True) if np.isnan(column).all()]
    if empty:
        raise FrameError(
            f"no value in any of the {len(examples)} rows of the {part} part: {', '.join(empty)}; was the table "
            "computed at these cutoffs, and has its source events that old?"
        )


def to_examples(rows: pd.DataFrame, features: tuple[str, ...]) -> Examples:
    """The arrays of ``rows``, ordered by cutoff and entity, so that the order they were read in does not matter."""
    ordered = rows.sort_values([CUTOFF, ENTITY], kind="stable")
    return Examples(
        x=ordered[list(features)].to_numpy(dtype=np.float64, na_value=np.nan),
        y=ordered[LABEL].to_numpy(dtype=np.int64),
        entities=pd.factorize(ordered[ENTITY], sort=True)[0].astype(np.int64),
    )


def _check(rows: pd.DataFrame, features: tuple[str, ...]) -> None:
    if rows.empty:
        raise FrameError("the training frame has no row: no entity was active at any cutoff")
    if LABEL in features or CUTOFF in features or ENTITY in features:
        raise FrameError(f"{LABEL}, {CUTOFF} and {ENTITY} cannot be features")
    twice = int(rows.duplicated([ENTITY, CUTOFF]).sum())
    if twice:
        raise FrameError(f"{twice} rows repeat an entity at the same cutoff")
    labels = set(rows[LABEL].unique())
    if not labels <= {0, 1}:
        raise FrameError(f"column {LABEL} has values beside 0 and 1: {sorted(labels - {0, 1})[:5]}")
    values = rows[list(features)].to_numpy(dtype=np.float64, na_value=np.nan)
    for name, column in zip(features, values.T, strict=True):
        if np.isinf(column).any():
            raise FrameError(f"feature {name} is infinite in {int(np.isinf(column).sum())} rows")

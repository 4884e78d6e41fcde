"""Rows that a model was fitted on, kept with it as MLflow's input example: what its reasons are compared with."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ml_modeling.registry.scorer import Floats

ROWS = 50
SEED = 5
FILE = "input_example.json"


def background_rows(x: Floats) -> Floats:
    """Some rows of ``x`` (n, features), the same at each call."""
    if len(x) <= ROWS:
        return x
    return x[np.sort(np.random.default_rng(SEED).choice(len(x), size=ROWS, replace=False))]


def read_background(folder: Path, features: Sequence[str]) -> Floats | None:
    """The rows kept in a model's folder, in the order of ``features``; None where there are none of these."""
    try:
        stored = json.loads((folder / FILE).read_text(encoding="utf-8"))
        places = [stored["columns"].index(name) for name in features]
        rows = np.array([[row[place] for place in places] for row in stored["data"]], dtype=np.float64)
    except (OSError, LookupError, TypeError, ValueError):
        return None
    return rows if rows.ndim == 2 and len(rows) else None

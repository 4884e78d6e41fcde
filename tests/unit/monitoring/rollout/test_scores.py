import logging

import numpy as np
import pytest

from ml_modeling.replay.comparing import Replayed
from ml_modeling.replay.report import Said
from ml_modeling.replay.saying import Saying
from monitoring.rollout.scores import Expected, expected, read

RANDOM = np.random.default_rng(4)


def said(*batches: np.ndarray) -> Said:
    saying = Saying()
    for batch in batches:
        saying.add(Replayed(batch.reshape(-1, 1), np.where(batch >= 0.5, "churns", "stays").astype(object)))
    result = saying.result()
    assert result is not None
    return result


def test_what_a_model_says_is_its_quantiles_and_decisions() -> None:
    scores = RANDOM.random(1_000)
    found = said(scores[:300], scores[300:])
    np.testing.assert_allclose(found.quantiles, np.quantile(scores, np.arange(201) / 200))
    above = int((scores >= 0.5).sum())
    assert (found.answers, found.decisions) == (1_000, {"churns": above, "stays": 1_000 - above})
    assert Saying().result() is None


def test_cells_are_deciles_which_hold_a_tenth_each() -> None:
    scores = RANDOM.random(20_000)
    cells = expected(said(scores))
    assert cells is not None
    counted = np.bincount(np.searchsorted(cells.edges, scores, side="right"), minlength=10)
    np.testing.assert_allclose(cells.rows, counted, rtol=0.06)
    assert sum(cells.rows) == pytest.approx(20_000)


def test_a_score_that_half_of_all_have_is_a_cell_with_half_of_them() -> None:
    scores = np.concatenate([np.full(5_000, 0.3), RANDOM.random(5_000)])
    cells = expected(said(scores))
    assert cells is not None
    assert max(cells.rows) >= 5_000
    assert len(set(cells.edges)) == len(cells.edges)


def test_classes_are_cells_by_their_decisions() -> None:
    saying = Saying()
    saying.add(Replayed(np.full((3, 3), 1 / 3), np.array(["low", "high", "low"], dtype=object)))
    assert expected(saying.result()) == Expected(classes=("high", "low"), rows=(1.0, 2.0))


def test_evidence_is_read_as_input(caplog: pytest.LogCaptureFixture) -> None:
    cells = Expected(edges=(0.5,), rows=(3.0, 4.0))
    assert read({"cells": cells.model_dump(mode="json")}, "cells") == cells
    assert (read({}, "cells"), read({"cells": None}, "cells"), expected(None)) == (None, None, None)
    with caplog.at_level(logging.WARNING):
        assert read({"cells": {"edges": "none"}}, "cells") is None
    assert "has no cells under cells" in caplog.text

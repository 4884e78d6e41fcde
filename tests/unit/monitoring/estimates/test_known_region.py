"""Nothing is said of inputs that lie where the calibration saw none."""

import numpy as np
import pytest

from monitoring.drift.domain_classifier import Separation
from monitoring.estimates import KnownRegion


def inputs(random: np.random.Generator, rows: int) -> np.ndarray:
    x = random.normal(size=(rows, 4))
    x[random.random(rows) < 0.2, 3] = np.nan
    return x


def test_inputs_like_the_calibrations_are_known() -> None:
    random = np.random.default_rng(0)
    region = KnownRegion.of(inputs(random, 2000))
    assert all(region.left_by(inputs(random, rows)) is None for rows in [50, 500, 5000] * 5)


@pytest.mark.parametrize(
    ("column", "value"), [pytest.param(0, 9.0, id="beyond"), pytest.param(1, np.nan, id="never-missing")]
)
def test_inputs_beyond_it_are_not(column: int, value: float) -> None:
    random = np.random.default_rng(1)
    region = KnownRegion.of(inputs(random, 2000))
    x = inputs(random, 1000)
    x[:100, column] = value
    assert "10." in region.left_by(x).reason
    x[20:100, column] = 0.0
    assert region.left_by(x) is None


def test_a_feature_that_was_missing_may_be_missing() -> None:
    random = np.random.default_rng(2)
    region = KnownRegion.of(inputs(random, 2000))
    x = inputs(random, 500)
    x[:, 3] = np.nan
    assert region.left_by(x) is None


def test_a_feature_that_the_calibration_never_had_is_unknown() -> None:
    x = np.random.default_rng(3).normal(size=(500, 2))
    empty = x.copy()
    empty[:, 1] = np.nan
    assert KnownRegion.of(empty).left_by(x) is not None
    assert KnownRegion.of(empty).left_by(empty) is None


def test_rows_that_a_classifier_tells_apart_are_unknown() -> None:
    random = np.random.default_rng(4)
    x = inputs(random, 500)
    region = KnownRegion.of(x)
    assert region.left_by(x, Separation(0.95, 0.93, 0.97, 0.0)) is not None
    assert region.left_by(x, Separation(0.7, 0.65, 0.75, 0.0)) is None

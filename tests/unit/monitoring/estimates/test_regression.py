"""The expected error of predicted numbers against the error that outcomes show."""

import numpy as np
import pytest

from monitoring.estimates import CalibrationError, LossModel


def draw(random: np.random.Generator, size: int, centre: float = 0.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs (n, 2), predictions, and outcomes whose noise grows with the first input."""
    x = np.clip(random.normal(centre, 0.25, (size, 2)), 0, 1)
    predictions = x.sum(axis=1)
    return x, predictions, predictions + random.normal(size=size) * (0.2 + x[:, 0])


def test_intervals_hold_the_error_also_when_inputs_shift() -> None:
    random = np.random.default_rng(0)
    held = {"mae": 0, "rmse": 0}
    runs = 10
    for _ in range(runs):
        model = LossModel.fit(*draw(random, 2000))
        x, predictions, y = draw(random, 800, 0.7)
        estimates = model.estimate(x, predictions)
        true = {"mae": np.abs(predictions - y).mean(), "rmse": np.sqrt(np.square(predictions - y).mean())}
        for name in held:
            held[name] += estimates[name].low <= true[name] <= estimates[name].high
    assert min(held.values()) >= 0.8 * runs


def test_an_error_that_grows_with_the_inputs_is_expected_to() -> None:
    random = np.random.default_rng(1)
    model = LossModel.fit(*draw(random, 4000))
    low, high = (model.estimate(*draw(random, 2000, centre)[:2])["mae"] for centre in (0.3, 0.7))
    # The mean of |noise| is sqrt(2 / pi) of its deviation, 0.2 + the input.
    assert low.value == pytest.approx(0.798 * 0.51, abs=0.05)
    assert high.value == pytest.approx(0.798 * 0.88, abs=0.07)
    assert low.high < high.low


def test_few_rows_teach_nothing() -> None:
    with pytest.raises(CalibrationError, match="199 rows"):
        LossModel.fit(np.zeros((199, 1)), np.zeros(199), np.zeros(199))


def test_a_model_of_few_rows_is_unsure_however_many_it_is_asked_about() -> None:
    random = np.random.default_rng(2)
    widths, held, runs = [], 0, 3
    for _ in range(runs):
        model = LossModel.fit(*draw(random, 400))
        x, predictions, y = draw(random, 10_000, 0.7)
        estimate = model.estimate(x, predictions)["mae"]
        widths.append(estimate.high - estimate.low)
        held += estimate.low <= np.abs(predictions - y).mean() <= estimate.high
    # 10,000 rows alone would leave it unsure by 0.02.
    assert np.median(widths) > 0.08
    assert held >= runs - 1

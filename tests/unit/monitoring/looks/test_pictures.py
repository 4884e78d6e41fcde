"""Pictures are made of profiles alone: what they show is held against the rows."""

import numpy as np
import pyarrow as pa
import pytest

from monitoring.looks.pictures import BINS, bins, most_frequent, picture, shares
from monitoring.profiles import CategoricalProfile, NumericProfile


def numbers(*values: float | None) -> NumericProfile:
    profile = NumericProfile()
    profile.update(pa.array(values, pa.float64()))
    return profile


def categories(*values: str | None) -> CategoricalProfile:
    profile = CategoricalProfile()
    profile.update(pa.array(values, pa.string()))
    return profile


def test_the_share_of_each_bin_is_that_of_the_rows() -> None:
    values = np.random.default_rng(4).normal(size=500)
    profile = numbers(*values, *[None] * 100)
    edges = bins(profile, numbers(*(values + 1)))
    counted, _ = np.histogram(values, edges)
    assert len(edges) == BINS + 1
    assert shares(profile, edges) == pytest.approx(counted / 600)


def test_a_constant_has_its_whole_share() -> None:
    profile = numbers(*[3.0] * 50)
    assert shares(profile, bins(profile, profile)).sum() == pytest.approx(1.0)


def test_the_lowest_value_is_in_the_lowest_bin() -> None:
    profile = numbers(*[0.0] * 90, *[1.0] * 10)
    assert shares(profile, bins(profile, profile))[[0, -1]] == pytest.approx([0.9, 0.1])


def test_categories_with_the_largest_share_on_either_side_come_first() -> None:
    both = most_frequent(categories("a", "a", "a", "b"), categories("c", "c", "c", None))
    assert both == {"a": (0.75, 0.0), "c": (0.0, 0.75), "b": (0.25, 0.0)}
    assert list(both) == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("reference", "current"),
    [(numbers(1.0, 2.0), numbers(None)), (numbers(None), numbers()), (categories(), categories("x", None))],
    ids=["nothing now", "nothing at all", "no reference"],
)
def test_a_side_without_values_still_has_a_picture(reference: object, current: object) -> None:
    figure = picture("spend", reference, current)  # type: ignore[arg-type]
    assert figure.axes[0].get_title() == "spend"

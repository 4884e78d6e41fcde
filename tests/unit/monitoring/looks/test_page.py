import numpy as np
import pyarrow as pa

from monitoring.drift import Aspect
from monitoring.estimates import CannotKnow
from monitoring.looks.page import MOST_PICTURES, ordered, page
from monitoring.profiles import TableDefinition, TableProfile, profile_table
from tests.unit.monitoring.looks.looks import look, verdict


def profile(*names: str) -> TableProfile:
    rows = pa.table({name: np.arange(10.0) for name in names})
    return profile_table(rows, TableDefinition.of_schema(rows.schema))


def test_drifted_features_come_first_the_one_that_moved_most_before_the_others() -> None:
    verdicts = [verdict("a", is_drifted=False), verdict("b", shift=0.3), verdict("c", shift=0.9)]
    assert [entry.finding.feature for entry in ordered(verdicts)] == ["c", "b", "a"]


def test_a_page_shows_each_feature_once_the_drifted_first() -> None:
    verdicts = [
        verdict("a", is_drifted=False),
        verdict("b"),
        verdict("b", Aspect.MISSING),
        verdict(None, Aspect.VOLUME),
    ]
    text = page("version 3", profile("a", "b"), profile("a", "b"), look(*verdicts), {})
    assert text.count("<img") == 2
    assert text.index("alt='b'") < text.index("alt='a'")
    assert "3 of 4 findings are drift" in text


def test_names_are_text_and_never_markup() -> None:
    name = "<script>'\"&"
    estimates = {"quality": CannotKnow("<b>far off</b>")}
    text = page(name, profile(name), profile(name), look(verdict(name)), estimates)
    assert "<script>" not in text
    assert "<b>" not in text
    assert "&lt;script&gt;" in text


def test_of_very_many_features_only_the_first_have_pictures() -> None:
    names = [f"f{number}" for number in range(MOST_PICTURES + 5)]
    text = page("m", profile(*names), profile(*names), look(*(verdict(name, is_drifted=False) for name in names)), {})
    assert text.count("<img") == MOST_PICTURES

"""When the outcomes of a use case are judged from nothing, and what a commit notes of all of them."""

import json
from dataclasses import replace

import pytest

from batch_processing.outcomes.versions import NOTE, Read, Versions, note, reason_for_all

NOW = Versions("d1", 1, {"silver/predictions": Read("a", 7), "silver/orders": Read("b", 3)})


def test_newer_versions_of_the_same_tables_are_read_as_changes() -> None:
    before = replace(NOW, tables={"silver/predictions": Read("a", 5), "silver/orders": Read("b", 3)})
    assert not reason_for_all(before, NOW)
    assert not reason_for_all(NOW, NOW)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        pytest.param(None, "nothing was noted", id="never ran"),
        pytest.param(replace(NOW, digest="d0"), "definition changed", id="another question"),
        pytest.param(replace(NOW, revision=0), "definition changed", id="other columns"),
        pytest.param(replace(NOW, tables={"silver/predictions": Read("a", 7)}), "silver/orders is another", id="new"),
        pytest.param(
            replace(NOW, tables={**NOW.tables, "silver/orders": Read("z", 3)}),
            "silver/orders is another",
            id="made anew",
        ),
        pytest.param(
            replace(NOW, tables={**NOW.tables, "silver/orders": Read("b", 4)}), "from version 4 to 3", id="restored"
        ),
    ],
)
def test_everything_is_judged_when_changes_would_not_be_enough(before: Versions | None, said: str) -> None:
    assert said in reason_for_all(before, NOW)


def test_a_note_is_of_all_use_cases() -> None:
    other = replace(NOW, digest="d2")
    said = json.loads(note({"churn": NOW, "fraud": other}))[NOTE]
    assert said["churn"]["tables"]["silver/orders"] == {"id": "b", "version": 3}
    assert said["fraud"]["digest"] == "d2"

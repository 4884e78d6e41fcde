"""The demo's own verdict: does the lake hold what was sent?"""

from typing import Any

import pytest

from tidemill.demo.summary import TruthError, check_truth


def counts(messages: int, duplicates: int, **quarantined: int) -> dict[str, Any]:
    return {"messages": messages, "duplicates": duplicates, "quarantined": quarantined}


SENT = counts(1000, 10, schema=5)


@pytest.mark.parametrize(
    "lake",
    [
        pytest.param(SENT, id="the same"),
        pytest.param(counts(1200, 12, schema=6, not_json=1), id="somebody else sent 200 more"),
        pytest.param(counts(1200, 10, schema=5), id="somebody else sent 200 good events"),
    ],
)
def test_a_lake_with_what_was_sent_passes(lake: dict[str, Any]) -> None:
    check_truth({"sent": SENT, "lake": lake})


@pytest.mark.parametrize(
    ("lake", "named"),
    [
        pytest.param(counts(999, 10, schema=5), "messages: sent 1,000, in the lake 999", id="a message is missing"),
        pytest.param(counts(1000, 11, schema=5), "duplicates: sent 10, in the lake 11", id="a duplicate too many"),
        pytest.param(counts(1000, 10, schema=4), "quarantined as schema: sent 5, in the lake 4", id="a bad one passed"),
        pytest.param(counts(1000, 10, schema=5, x=1), "quarantined as x: sent 0, in the lake 1", id="a good one not"),
        pytest.param(counts(1200, 9, schema=5), "duplicates: sent 10, in the lake 9", id="fewer, though others sent"),
    ],
)
def test_a_lake_without_fails_with_the_count(lake: dict[str, Any], named: str) -> None:
    with pytest.raises(TruthError, match=named):
        check_truth({"sent": SENT, "lake": lake})

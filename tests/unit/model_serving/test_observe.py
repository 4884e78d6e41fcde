import re

import pytest

from model_serving.metrics import route_labels
from model_serving.observe import accepted_request_id


@pytest.mark.parametrize("offered", ["a", "A-1.b_2", "x" * 128])
def test_a_valid_request_id_is_kept(offered: str) -> None:
    assert accepted_request_id(offered) == offered


@pytest.mark.parametrize("offered", [None, "", "x" * 129, "a b", "a\nb", "é", "a/b", "a\x00"])
def test_any_other_request_id_is_replaced_by_a_new_one(offered: str | None) -> None:
    first, second = accepted_request_id(offered), accepted_request_id(offered)

    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_metric_labels_come_from_a_closed_set() -> None:
    assert route_labels({"method": "BREW", "path": "/any/thing"}) == ("other", "none")

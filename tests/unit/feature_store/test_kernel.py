"""The kernel computes what the judge computes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.definitions import FeatureGroup
from feature_store.kernel import compute
from tests.cases.window_histories import GROUP, RICH, as_columns, as_queries, assert_agrees, histories, query_times


@pytest.mark.parametrize("as_known", [False, True], ids=["all events", "as known"])
@pytest.mark.parametrize("group", [GROUP, RICH], ids=lambda group: group.name)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_the_kernel_agrees_with_the_judge(group: FeatureGroup, as_known: bool, data: Any) -> None:
    history = data.draw(histories())
    asked = data.draw(query_times(history))
    found = compute(group, as_columns(history), as_queries(asked), as_known)
    assert_agrees(found, history, asked, group, as_known)

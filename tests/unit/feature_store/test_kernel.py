"""The kernel computes what the judge computes."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from feature_store.kernel import compute
from tests.cases.window_histories import GROUP, as_columns, as_queries, assert_agrees, histories, query_times


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_kernel_agrees_with_the_judge(data: Any) -> None:
    history = data.draw(histories())
    asked = data.draw(query_times(history))
    assert_agrees(compute(GROUP, as_columns(history), as_queries(asked)), history, asked)

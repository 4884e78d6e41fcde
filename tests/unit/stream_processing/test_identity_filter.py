"""The filter never forgets, and seldom claims what it never had."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream_processing.spark_streaming.silver.identity_filter import IdentityFilter

hashes = st.lists(st.integers(-(2**63), 2**63 - 1), max_size=50).map(lambda found: np.array(found, dtype=np.int64))


@given(hashes, hashes)
def test_what_was_added_is_always_in_it(first: np.ndarray, second: np.ndarray) -> None:
    some = IdentityFilter.empty(2**20)
    some.add(first)
    some.add(second)
    assert some.might_contain(np.concatenate([first, second])).all()


def test_an_empty_one_has_nothing() -> None:
    numbers = np.random.default_rng(0).integers(-(2**63), 2**63 - 1, 10_000, dtype=np.int64)
    assert not IdentityFilter.empty(2**20).might_contain(numbers).any()


def test_of_a_hundred_thousand_others_hardly_any_is_claimed() -> None:
    """At 84 bits a key and 8 probes a Bloom filter errs once in some ten million."""
    numbers = np.random.default_rng(1).integers(-(2**63), 2**63 - 1, 200_000, dtype=np.int64)
    some = IdentityFilter.empty(2**20)
    some.add(numbers[:100_000])
    assert some.might_contain(numbers[100_000:]).sum() <= 2

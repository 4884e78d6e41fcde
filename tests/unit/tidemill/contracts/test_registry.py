"""Contracts are found by the name of their topic."""

import pytest

from tidemill.contracts import ContractError, contracts
from tidemill.contracts.registry import topics_called


def test_topics_are_chosen_by_name_or_all() -> None:
    assert topics_called(["shop.click.v1"]) == ["shop.click.v1"]
    assert topics_called([]) == list(contracts())
    with pytest.raises(ContractError, match=r"no contract for topic 'shop\.clicks'"):
        topics_called(["shop.clicks"])

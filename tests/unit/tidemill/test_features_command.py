"""The times that ``tidemill features consistency`` takes."""

from datetime import datetime

import click
import pytest

from tidemill.commands.features import TIME, _instance


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T04:05:06", datetime(2026, 3, 1, 4, 5, 6)),
        ("2026-03-01T04:05:06Z", datetime(2026, 3, 1, 4, 5, 6)),
        ("2026-03-01T04:05:06.5Z", datetime(2026, 3, 1, 4, 5, 6, 500_000)),
    ],
)
def test_a_time_may_end_in_z(written: str, time: datetime) -> None:
    assert TIME.convert(written, None, None) == time


@pytest.mark.parametrize(
    ("text", "keys", "inputs", "expected"),
    [
        ("17850", ["customer_id"], [], {"customer_id": "17850"}),
        ("a=b,c", ["customer_id"], [], {"customer_id": "a=b,c"}),
        ("customer_id=17850", ["customer_id"], [], {"customer_id": "17850"}),
        ("customer=C1,amount=81.5", ["customer"], ["amount"], {"customer": "C1", "amount": 81.5}),
        ("amount=-3,terminal=T,1=,customer=C1", ["customer", "terminal"], ["amount"],
         {"customer": "C1", "terminal": "T,1=", "amount": -3.0}),
    ],
)  # fmt: skip
def test_an_instance_has_every_key_and_input(
    text: str, keys: list[str], inputs: list[str], expected: dict[str, object]
) -> None:
    assert _instance(text, keys, inputs) == expected


@pytest.mark.parametrize(
    "text",
    ["C1", "customer=C1", "customer=C1,amount=much", "customer=C1,amount=1,amount=2", "x,customer=C1,amount=1", ""],
)
def test_an_instance_that_lacks_something_says_what_is_wanted(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"customer=\.\.\.,amount=\.\.\.|could not convert"):
        _instance(text, ["customer"], ["amount"])


def test_by_name_another_key_is_no_id() -> None:
    assert _instance("customer_id=a=b", ["customer_id"], [], by_name=True) == {"customer_id": "a=b"}
    for text in ("customer=C1", "C1"):
        with pytest.raises(click.BadParameter, match=r"must be customer_id=\.\.\."):
            _instance(text, ["customer_id"], [], by_name=True)

"""What two messages say is compared as JSON values, exactly."""

import pytest

from data_lake.reconciliation.content import content


def said(number: str) -> str:
    return content(b'{"data": {"n": ' + number.encode() + b"}}")


@pytest.mark.parametrize("spelt", ["2", "2.0", "2e0", "0.2e1", "200e-2", "2.000"])
def test_a_number_is_the_same_however_it_is_spelt(spelt: str) -> None:
    assert said(spelt) == said("2")


@pytest.mark.parametrize("zero", ["0", "-0", "0.00", "0e7"])
def test_nothing_is_zero_but_zero(zero: str) -> None:
    assert said(zero) == said("0") != said("1e-30")


@pytest.mark.parametrize(
    ("one", "other"),
    [("1." + "0" * 28 + "1", "1." + "0" * 28 + "2"), ("10", "1"), ("1e-5", "1e-6"), ("-2", "2"), ('"2"', "2")],
    ids=["in the 30th digit", "ten and one", "in the exponent", "in the sign", "a text and a number"],
)
def test_what_differs_is_told_apart(one: str, other: str) -> None:
    assert said(one) != said(other)


def test_the_order_of_names_does_not_count_and_that_of_items_does() -> None:
    assert content(b'{"data": {"a": 1, "b": [1, 2]}}') == content(b'{"data": {"b": [1, 2], "a": 1}}')
    assert content(b'{"data": {"b": [1, 2]}}') != content(b'{"data": {"b": [2, 1]}}')

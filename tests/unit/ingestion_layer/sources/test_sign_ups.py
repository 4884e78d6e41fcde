"""Profiles of the simulated shop: one a customer, before anything they do; a planted bias is as large as it says."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from ingestion_layer.sources.simulator.customers import draw_customers
from ingestion_layer.sources.simulator.events import CUSTOMERS, TRANSACTIONS, events, rows_of
from ingestion_layer.sources.simulator.orders import Orders
from ingestion_layer.sources.simulator.profiles import SHARES
from ingestion_layer.sources.simulator.shop import GROUPS, Bias, Shop, ShopError
from tidemill.contracts import checker

START, END = date(2025, 1, 1), date(2025, 3, 1)
SHOP = Shop(seed=11, customers=400, start=START, end=END)
BIASED = Shop(seed=11, customers=400, start=START, end=END, bias=Bias("region", "south", rate=0.25))


def sent(shop: Shop, topic: str) -> list[dict[str, Any]]:
    orders = Orders(shop)
    days = range(shop.first_day, shop.last_day)
    return [event for day in days for event in events(orders, rows_of(orders, topic, day))]


def test_every_customer_signs_up_once_before_the_first_purchase() -> None:
    profiles, first = sent(SHOP, CUSTOMERS), {}
    for event in sent(SHOP, TRANSACTIONS):
        first.setdefault(event["data"]["customer_id"], event["time"])
    signed_up = {event["data"]["customer_id"]: event["time"] for event in profiles}
    assert len(profiles) == len(signed_up) == SHOP.customers
    assert all(signed_up[who] < time for who, time in first.items() if who is not None)
    assert all(checker(CUSTOMERS).check(event) is None for event in profiles)


def test_a_shop_without_a_bias_is_the_one_that_it_was_before_there_was_any() -> None:
    assert "bias" not in SHOP.to_dict()
    assert SHOP.fingerprint == "79509ce92535"


def test_a_biased_group_buys_as_much_less_often_as_it_says_and_nobody_else_changes() -> None:
    fair, biased = draw_customers(SHOP), draw_customers(BIASED)
    south = fair.profiles.region == GROUPS["region"].index("south")
    assert 0.25 < south.mean() < 0.45
    np.testing.assert_allclose(biased.purchase_rate[south], 0.25 * fair.purchase_rate[south])
    assert (biased.purchase_rate[~south] == fair.purchase_rate[~south]).all()
    assert (biased.churned == fair.churned).all()


def test_who_people_are_says_nothing_of_what_they_do() -> None:
    people = draw_customers(Shop(seed=3, customers=20_000, start=START, end=END))
    for name, shares in SHARES.items():
        groups = getattr(people.profiles, name)
        assert np.bincount(groups) / len(people) == pytest.approx(shares, abs=0.02)
        means = [people.purchase_rate[groups == number].mean() for number in range(len(shares))]
        assert means == pytest.approx([people.purchase_rate.mean()] * len(shares), rel=0.12)


def test_a_biased_shop_survives_being_written() -> None:
    written = {**BIASED.to_dict(), "start": START.isoformat(), "end": END.isoformat()}
    assert Shop.from_dict(written) == BIASED
    assert BIASED.fingerprint != SHOP.fingerprint


def test_a_bias_is_read_as_typed() -> None:
    assert Bias.parse("age_band=65+,rate=0.5") == Bias("age_band", "65+", 0.5)
    assert Bias.parse("sign_up_channel=app") == Bias("sign_up_channel", "app")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mood=good", "no bias by 'mood'; known: age_band, region, sign_up_channel"),
        ("region=up", "no region 'up' to be biased; known: north, east, south, west"),
        ("region=north,rate=some", "'some' is not a number"),
        ("region=north,rate=0", "a bias cannot have rate = 0.0"),
    ],
)
def test_a_bias_that_cannot_be_is_named(text: str, says: str) -> None:
    with pytest.raises(ShopError) as error:
        Bias.parse(text)
    assert says in str(error.value)

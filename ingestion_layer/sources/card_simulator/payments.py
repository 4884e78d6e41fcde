"""What is paid on a day, before any fraud.

Source: the handbook's chapter 3, "Generation of transactions".
"""

from dataclasses import dataclass

import numpy as np

from ingestion_layer.sources.card_simulator.cards import Cards
from ingestion_layer.sources.card_simulator.population import Customers, Reach
from ingestion_layer.sources.simulator.columns import Columns, Ints

DAY_S = 86_400
MIDDAY_S = DAY_S / 2
SPREAD_S = 20_000
US_PER_S = 1_000_000


@dataclass(frozen=True)
class Payments(Columns):
    """Payments; ``time`` in microseconds since 1970. ``day`` and ``number`` name one, ``scenario`` 0 is genuine."""

    day: Ints
    number: Ints
    customer: Ints
    terminal: Ints
    cents: Ints
    scenario: Ints


def genuine_payments(cards: Cards, customers: Customers, reach: Reach, day: int) -> Payments:
    """The payments of ``day``, ordered by time.

    Their number is Poisson-distributed; times of the day and amounts are normal. A time outside the day is no payment,
    and neither is one of a customer without a terminal in reach; an amount below 0 is drawn again, uniformly up to
    twice the mean.
    """
    random = cards.random("payments", day)
    customer = np.repeat(np.arange(len(customers)), random.poisson(customers.payments_a_day))
    second = random.normal(MIDDAY_S, SPREAD_S, len(customer)).astype(np.int64)
    mean = customers.mean_amount[customer]
    amount = random.normal(mean, customers.std_amount[customer])
    amount = np.where(amount < 0, random.uniform(0, 2 * mean), amount)
    made = np.flatnonzero((second > 0) & (second < DAY_S) & (reach.counts[customer] > 0))
    made = made[np.argsort(second[made], kind="stable")]
    return Payments(
        time=(day * DAY_S + second[made]) * US_PER_S,
        day=np.full(len(made), day),
        number=np.arange(len(made)),
        customer=customer[made],
        terminal=reach.choose(random, customer[made]),
        cents=np.rint(amount[made] * 100).astype(np.int64),
        scenario=np.zeros(len(made), dtype=np.int64),
    )

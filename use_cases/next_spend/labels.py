"""What is to come: the sum of what an active customer buys in the 60 days that follow, returns not taken off.

A customer is active who bought in the 60 days before: whoever did not is no question of an amount first, but of coming
back at all.
"""

from feature_store.definitions import FutureAggregate, Number, column, days
from use_cases.churn.features import CUSTOMER, TRANSACTIONS

LABEL = FutureAggregate(
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(column("kind") == "purchase",),
    aggregation=column("amount").sum(),
    active=days(60),
    horizon=days(60),
    answer=Number(),
)

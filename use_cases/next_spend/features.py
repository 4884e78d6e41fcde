"""What the spending model knows of a customer: how much, how often, how much at once, how long ago, what came back.

Purchases and returns over long windows are those of churn: two services that read a group share its states.
"""

from feature_store.definitions import Derived, FeatureGroup, FeatureService, column, days
from use_cases.churn.features import CUSTOMER, PURCHASES, RETURNS, TRANSACTIONS

amount, kind, order = column("amount"), column("kind"), column("order_id")

SPEND = FeatureGroup(
    name="spend",
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(kind == "purchase",),
    windows=(days(14), days(60), days(180)),
    aggregations=(
        amount.sum(),
        order.count_distinct(windows=(days(60), days(180))),
        amount.max(windows=(days(180),)),
    ),
)

SERVICE = FeatureService(
    name="next_spend",
    features=(
        *SPEND.features,
        *PURCHASES.features,
        *RETURNS.features,
        Derived("spend_an_order_180d", SPEND["amount_sum_180d"] / SPEND["order_id_count_distinct_180d"]),
        Derived("spend_share_60d", SPEND["amount_sum_60d"] / SPEND["amount_sum_180d"]),
    ),
)

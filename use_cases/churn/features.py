"""What the churn model knows of a customer: what was bought and returned, how much, how often, and how long ago."""

from feature_store.definitions import (
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Product,
    Source,
    column,
    count,
    days,
    time_since_last,
)

CUSTOMER = Entity("customer", "customer_id")
TRANSACTIONS = Source("silver/transactions", computed=(Product("amount", "quantity", "unit_price"),))
amount, kind, order, product = column("amount"), column("kind"), column("order_id"), column("product_id")

PURCHASES = FeatureGroup(
    name="purchases",
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(kind == "purchase",),
    windows=(days(30), days(90), days(365)),
    aggregations=(
        time_since_last(windows=(LIFETIME,)),
        order.count_distinct(),
        amount.sum(),
        product.count_distinct(windows=(days(365),)),
    ),
)
RETURNS = FeatureGroup(
    name="returns",
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(kind == "return",),
    windows=(days(90), days(365)),
    aggregations=(count(),),
)

SERVICE = FeatureService(
    name="churn",
    features=(
        *PURCHASES.features,
        *RETURNS.features,
        Derived("basket_mean_365d", PURCHASES["amount_sum_365d"] / PURCHASES["order_id_count_distinct_365d"]),
        Derived(
            "orders_share_90d", PURCHASES["order_id_count_distinct_90d"] / PURCHASES["order_id_count_distinct_365d"]
        ),
    ),
)

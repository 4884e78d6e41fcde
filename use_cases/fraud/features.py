"""What the fraud model knows of a payment: its amount and hour, how its customer pays, what its terminal is known for.

A payment is asked about at its own time, so it is not in its own history: the request brings its amount.
"""

from feature_store.definitions import (
    DAY_OF_WEEK,
    HOUR_OF_DAY,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Input,
    Source,
    column,
    count,
    days,
)

AMOUNT = Input("amount")
CUSTOMER = Entity("customer", "customer_id")
TERMINAL = Entity("terminal", "terminal_id")
PAYMENTS = Source("silver/card_transactions")
VERDICTS = Source("silver/card_verdicts")
WINDOWS = (days(1), days(7), days(30))

amount, is_fraud = column("amount"), column("is_fraud")

CUSTOMER_PAYMENTS = FeatureGroup(
    name="customer_payments",
    entity=CUSTOMER,
    source=PAYMENTS,
    windows=WINDOWS,
    aggregations=(count(), amount.mean()),
)
TERMINAL_PAYMENTS = FeatureGroup(
    name="terminal_payments",
    entity=TERMINAL,
    source=PAYMENTS,
    windows=WINDOWS,
    aggregations=(count(),),
)
TERMINAL_VERDICTS = FeatureGroup(
    name="terminal_verdicts",
    entity=TERMINAL,
    source=VERDICTS,
    windows=WINDOWS,
    aggregations=(count(), is_fraud.mean()),
)
IS_NIGHT = Derived("is_night", HOUR_OF_DAY < 7)
IS_WEEKEND = Derived("is_weekend", DAY_OF_WEEK >= 5)

SERVICE = FeatureService(
    name="fraud",
    features=(
        Derived("amount_now", AMOUNT),
        IS_NIGHT,
        IS_WEEKEND,
        *CUSTOMER_PAYMENTS.features,
        Derived("amount_to_mean_30d", AMOUNT / CUSTOMER_PAYMENTS["amount_mean_30d"]),
        *TERMINAL_PAYMENTS.features,
        *TERMINAL_VERDICTS.features,
    ),
)

"""What the fraud model knows of a payment: its amount and time, how its customer pays, what its terminal is known for.

A payment is asked about at its own time, so it is not in its own history: the request brings its amount. docs/fraud.md
says why each feature is there.
"""

from feature_store.definitions import (
    DAY_OF_WEEK,
    HOUR_OF_DAY,
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Input,
    Source,
    column,
    count,
    days,
    time_since_last,
)

AMOUNT = Input("amount")
CUSTOMER = Entity("customer", "customer_id")
TERMINAL = Entity("terminal", "terminal_id")
PAYMENTS = Source("silver/card_transactions")
VERDICTS = Source("silver/card_verdicts")

amount, is_fraud = column("amount"), column("is_fraud")

CUSTOMER_PAYMENTS = FeatureGroup(
    name="customer_payments",
    entity=CUSTOMER,
    source=PAYMENTS,
    windows=(days(1), days(7), days(30)),
    aggregations=(count(), amount.mean()),
)
CUSTOMER_HABITS = FeatureGroup(
    name="customer_habits",
    entity=CUSTOMER,
    source=PAYMENTS,
    aggregations=(amount.mean(windows=(LIFETIME,)), amount.max(windows=(days(14),))),
)
TERMINAL_VERDICTS = FeatureGroup(
    name="terminal_verdicts",
    entity=TERMINAL,
    source=VERDICTS,
    windows=(days(1), days(7), days(30)),
    aggregations=(count(), is_fraud.mean()),
)
TERMINAL_STREAK = FeatureGroup(
    name="terminal_streak",
    entity=TERMINAL,
    source=VERDICTS,
    aggregations=(is_fraud.mean(windows=(days(21),)), is_fraud.last_k(3, windows=(LIFETIME,))),
)
TERMINAL_FRAUDS = FeatureGroup(
    name="terminal_frauds",
    entity=TERMINAL,
    source=VERDICTS,
    filters=(is_fraud.is_in(True),),
    aggregations=(time_since_last(windows=(LIFETIME,)),),
)
TERMINAL_GENUINE = FeatureGroup(
    name="terminal_genuine",
    entity=TERMINAL,
    source=VERDICTS,
    filters=(is_fraud.is_in(False),),
    aggregations=(time_since_last(windows=(LIFETIME,)),),
)

AMOUNT_NOW = Derived("amount_now", AMOUNT)
IS_NIGHT = Derived("is_night", HOUR_OF_DAY < 7)  # the handbook: hour <= 6, without its minutes
IS_WEEKEND = Derived("is_weekend", DAY_OF_WEEK >= 5)
AMOUNT_TO_MEAN = Derived("amount_to_mean", AMOUNT / CUSTOMER_HABITS["amount_mean_all"])
LARGEST_TO_MEAN = Derived("largest_to_mean", CUSTOMER_HABITS["amount_max_14d"] / CUSTOMER_HABITS["amount_mean_all"])

SERVICE = FeatureService(
    name="fraud",
    features=(
        AMOUNT_NOW,
        IS_NIGHT,
        IS_WEEKEND,
        *CUSTOMER_PAYMENTS.features,
        *TERMINAL_VERDICTS.features,
        AMOUNT_TO_MEAN,
        LARGEST_TO_MEAN,
        *TERMINAL_STREAK.features,
        *TERMINAL_FRAUDS.features,
        *TERMINAL_GENUINE.features,
    ),
)

"""What is known of a payment while it is made: its amount, what its card paid last, what its terminal is known for.

A day of the demo lasts seconds and lies in the past, and a request is answered as of now: so there is nothing here that
depends on how long ago a thing was.
"""

from feature_store.definitions import (
    LIFETIME,
    Derived,
    Entity,
    FeatureGroup,
    FeatureService,
    Input,
    Source,
    column,
)

AMOUNT = Input("amount")
CUSTOMER = Entity("customer", "customer_id")
TERMINAL = Entity("terminal", "terminal_id")
PAYMENTS = Source("silver/card_transactions")
VERDICTS = Source("silver/card_verdicts")

LAST_PAYMENTS = FeatureGroup(
    name="last_payments",
    entity=CUSTOMER,
    source=PAYMENTS,
    windows=(LIFETIME,),
    aggregations=(column("amount").last_k(3),),
)
LAST_VERDICTS = FeatureGroup(
    name="last_verdicts",
    entity=TERMINAL,
    source=VERDICTS,
    windows=(LIFETIME,),
    aggregations=(column("is_fraud").last_k(3),),
)

SERVICE = FeatureService(
    name="card_fraud",
    features=(Derived("amount_now", AMOUNT), *LAST_PAYMENTS.features, *LAST_VERDICTS.features),
)

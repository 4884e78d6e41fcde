"""What churn is: an active customer who buys nothing during the horizon.

A customer is active at a cutoff who bought within the ``ACTIVE_DAYS`` before it. The label of an active customer is 1
when no such event follows within the ``HORIZON_DAYS`` after it, else 0. Both windows are as long as each other, so
that who is already silent for a whole horizon is not asked about: by this definition they have left before.
"""

SOURCE = "shop.transaction.v1"
ENTITY_COLUMN = "customer_id"
EVENT = {"kind": "purchase"}
ACTIVE_DAYS = 90
HORIZON_DAYS = 90
EVENT_MEANS = 0

"""What churn is: an active customer who buys nothing in the 90 days that follow.

Both windows are as long as each other, so that who is already silent for a whole horizon is not asked about: by this
definition they have left before.
"""

from feature_store.definitions import Absence, column, days
from use_cases.churn.features import CUSTOMER, TRANSACTIONS

LABEL = Absence(
    entity=CUSTOMER,
    source=TRANSACTIONS,
    filters=(column("kind") == "purchase",),
    active=days(90),
    horizon=days(90),
)

"""What fraud is: what the verdict on a payment says.

A payment has no label until its verdict's event time. A model may learn from the verdicts before its training, and a
feature counts those before its payment: both follow from the verdict being an event of its own, with a time of its own.
"""

from feature_store.definitions import Outcome
from use_cases.fraud.features import CUSTOMER, PAYMENTS, VERDICTS

LABEL = Outcome(entity=CUSTOMER, events=PAYMENTS, of=VERDICTS, key="transaction_id", label="is_fraud")

"""What fraud is: what the verdict on a payment says, two days after it."""

from feature_store.definitions import Outcome
from use_cases.card_fraud.features import CUSTOMER, PAYMENTS, VERDICTS

LABEL = Outcome(entity=CUSTOMER, events=PAYMENTS, of=VERDICTS, key="transaction_id", label="is_fraud")

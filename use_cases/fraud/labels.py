"""What fraud is: what the verdict on a payment says.

A payment has no label until its verdict's event time. A model may learn from the verdicts before its training, and a
feature counts those before its payment: both follow from the verdict being an event of its own, with a time of its own.
"""

SOURCE = "payment.card_verdict.v1"
PAYMENTS = "payment.card_transaction.v1"
PAYMENT_KEY = "transaction_id"
LABEL = "is_fraud"

"""What the churn model knows of a customer: features of the view ``customer_snapshot``.

docs/features.md defines each of them.
"""

FEATURE_SERVICE = "churn"
ENTITY = "customer"
FEATURE_VIEW = "customer_snapshot"
FEATURES: tuple[str, ...] = (
    "recency_days",
    "tenure_days",
    "frequency_30d",
    "frequency_90d",
    "frequency_365d",
    "monetary_30d",
    "monetary_90d",
    "monetary_365d",
    "returns_90d",
    "returns_365d",
    "basket_mean_365d",
    "products_365d",
    "gap_mean_days",
)

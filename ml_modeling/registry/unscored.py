"""Answers that are not the model's, those for a cold start, and those from old features, as the log calls them."""

UNSCORED = (
    "cold_start",
    "feature_store_unavailable",
    "unreadable_state",
    "states_rebuilding",
    "state_lost",
    "clock_behind",
)
STALE = "stale_features"

"""Answers that are not the model's, those for a cold start, and those from old features, as the log calls them."""

CHALLENGER_FAILED = "challenger_failed"
"""Of a shadow that could not score: only the log has it, since nobody was answered."""
UNSCORED = (
    "cold_start",
    "feature_store_unavailable",
    "unreadable_state",
    "states_rebuilding",
    "state_lost",
    "clock_behind",
    CHALLENGER_FAILED,
)
STALE = "stale_features"

"""Answers that are not the model's: those for a cold start, by the reason that the log has for them."""

UNSCORED = (
    "cold_start",
    "feature_store_unavailable",
    "unreadable_state",
    "states_rebuilding",
    "state_lost",
    "clock_behind",
)

"""One file a migration; what ran somewhere is never changed."""

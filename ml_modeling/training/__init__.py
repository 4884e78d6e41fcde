"""From a split frame to a fitted model: search, threshold, final fit."""

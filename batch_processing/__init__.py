"""Silver to gold: one job, run by spark-submit, for every table that a use case declares."""

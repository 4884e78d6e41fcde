"""Silver to gold: one job a file, each runnable by spark-submit."""

"""What works a retrain request off: stage by stage, from where whoever held it before left it."""

"""Rollouts: from a model that passed its gates to the one that answers everybody, or back, step by step."""

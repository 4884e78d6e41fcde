"""Replay: a model answers logged requests again, from the very features that the log holds of them."""

from ml_modeling.replay.report import Behind, Differences, Example, Proof, Replay
from ml_modeling.replay.run import replay

__all__ = ["Behind", "Differences", "Example", "Proof", "Replay", "replay"]

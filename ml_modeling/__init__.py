"""Frames, candidates, evaluation, gates and the model registry."""

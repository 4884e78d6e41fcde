"""Frames, candidates, evaluation, gates and the model registry."""

import os

# A process that uses MLflow sends nothing about itself, and no thread of MLflow's changes the environment while another
# copies it: that made a request fail with "exception '_MLFLOW_TELEMETRY_SESSION_ID'".
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

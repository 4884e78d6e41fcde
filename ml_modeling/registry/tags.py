"""The tags this project sets in MLflow, on runs and on registered versions."""

USE_CASE = "tidemill.use_case"
MODEL_URI = "tidemill.model_uri"
ERROR = "tidemill.error"
GATE = "tidemill.gate"
GATE_CHAMPION = "tidemill.gate_champion"
GATE_REASONS = "tidemill.gate_reasons"
METRICS = "tidemill.metrics"
AUDIT = "tidemill.audit"

PASSED, FAILED = "passed", "failed"

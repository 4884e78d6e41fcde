"""The tags this project sets in MLflow, on runs and on registered versions."""

USE_CASE = "tidemill.use_case"
MODEL_URI = "tidemill.model_uri"
DIGEST = "tidemill.model_digest"
ERROR = "tidemill.error"
PROCESS = "tidemill.process"
GATE = "tidemill.gate"
GATE_CHAMPION = "tidemill.gate_champion"
GATE_CHAMPION_MODEL = "tidemill.gate_champion_model"
GATE_REASONS = "tidemill.gate_reasons"
METRICS = "tidemill.metrics"
AUDIT = "tidemill.audit"
REFERENCE = "tidemill.reference_profile"

NOTE = "mlflow.note.content"
"""MLflow's own: the Markdown that its pages show as the description of a run."""
MAX_DESCRIPTION = 5_000
"""Characters that MLflow's database has room for in the description of a registered version."""

PASSED, FAILED = "passed", "failed"

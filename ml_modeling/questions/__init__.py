"""From events to labelled rows, in Spark: one module a kind of question, all with the same columns."""

from feature_store.offline.training import EVENT_TIMESTAMP
from ml_modeling.questions.lake import QuestionError, Tables
from ml_modeling.questions.rows import KEY, LABEL, MATURED, sampled

__all__ = ["EVENT_TIMESTAMP", "KEY", "LABEL", "MATURED", "QuestionError", "Tables", "sampled"]

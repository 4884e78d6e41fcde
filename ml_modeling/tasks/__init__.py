"""What differs between yes or no, one of some classes, and a number: one module each, behind one protocol."""

from feature_store.definitions import Classes, Question
from ml_modeling.specification import BinarySpec, ModelSpec, MulticlassSpec, RegressionSpec
from ml_modeling.tasks.binary import BinaryTask
from ml_modeling.tasks.multiclass import MulticlassTask
from ml_modeling.tasks.regression import RegressionTask
from ml_modeling.tasks.scoring import Rule, Scoring
from ml_modeling.tasks.task import OneLabelError, TaskKind

__all__ = ["OneLabelError", "Rule", "Scoring", "TaskKind", "task_of"]


def task_of(question: Question, spec: ModelSpec) -> TaskKind:
    """The task of a question, with its part of ``model.yaml``."""
    match spec, question.answer:
        case BinarySpec(), _:
            return BinaryTask(spec)
        case RegressionSpec(), _:
            return RegressionTask(spec)
        case MulticlassSpec(), Classes() as classes:
            return MulticlassTask(spec, classes)
    raise TypeError(f"{type(spec).__name__} is not for {question.answer!r}")
